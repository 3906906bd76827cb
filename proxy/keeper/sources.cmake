# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_PROXY_SOURCES
     ${CMAKE_CURRENT_LIST_DIR}/connections.cpp
     ${CMAKE_CURRENT_LIST_DIR}/control_server.cpp
     ${CMAKE_CURRENT_LIST_DIR}/control_verbs.cpp
     ${CMAKE_CURRENT_LIST_DIR}/dialer.cpp
     ${CMAKE_CURRENT_LIST_DIR}/dispatch.cpp
     ${CMAKE_CURRENT_LIST_DIR}/evidence.cpp
     ${CMAKE_CURRENT_LIST_DIR}/gate.cpp
     ${CMAKE_CURRENT_LIST_DIR}/identity_agent.cpp
     ${CMAKE_CURRENT_LIST_DIR}/issuer.cpp
     ${CMAKE_CURRENT_LIST_DIR}/journal.cpp
     ${CMAKE_CURRENT_LIST_DIR}/keeper.cpp
     ${CMAKE_CURRENT_LIST_DIR}/listeners.cpp
     ${CMAKE_CURRENT_LIST_DIR}/process.cpp
     ${CMAKE_CURRENT_LIST_DIR}/recovery.cpp
     ${CMAKE_CURRENT_LIST_DIR}/replies.cpp
     ${CMAKE_CURRENT_LIST_DIR}/requests.cpp
     ${CMAKE_CURRENT_LIST_DIR}/surveys.cpp
     ${CMAKE_CURRENT_LIST_DIR}/verb_children.cpp
     ${CMAKE_CURRENT_LIST_DIR}/view.cpp
     ${CMAKE_CURRENT_LIST_DIR}/workers.cpp)
