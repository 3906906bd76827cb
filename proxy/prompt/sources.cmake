# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_PROXY_SOURCES ${CMAKE_CURRENT_LIST_DIR}/prompt.cpp ${CMAKE_CURRENT_LIST_DIR}/screen.cpp ${CMAKE_CURRENT_LIST_DIR}/terminal.cpp)
