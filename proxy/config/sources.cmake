# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_PROXY_SOURCES ${CMAKE_CURRENT_LIST_DIR}/config.cpp ${CMAKE_CURRENT_LIST_DIR}/directory.cpp ${CMAKE_CURRENT_LIST_DIR}/init.cpp)
