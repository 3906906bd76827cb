# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_PROXY_SOURCES ${CMAKE_CURRENT_LIST_DIR}/desk.cpp ${CMAKE_CURRENT_LIST_DIR}/desk_requests.cpp
     ${CMAKE_CURRENT_LIST_DIR}/desk_answers.cpp ${CMAKE_CURRENT_LIST_DIR}/desk_binding.cpp)
