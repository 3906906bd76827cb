# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_VERBS_SOURCES
     ${CMAKE_CURRENT_LIST_DIR}/desk_verbs.cpp
     ${CMAKE_CURRENT_LIST_DIR}/gate_client.cpp
     ${CMAKE_CURRENT_LIST_DIR}/policy_decompose.cpp
     ${CMAKE_CURRENT_LIST_DIR}/policy_json.cpp
     ${CMAKE_CURRENT_LIST_DIR}/print.cpp
     ${CMAKE_CURRENT_LIST_DIR}/table.cpp)
