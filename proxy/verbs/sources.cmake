# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_VERBS_SOURCES
     ${CMAKE_CURRENT_LIST_DIR}/assumed_account.cpp
     ${CMAKE_CURRENT_LIST_DIR}/cast_screen.cpp
     ${CMAKE_CURRENT_LIST_DIR}/certs_verbs.cpp
     ${CMAKE_CURRENT_LIST_DIR}/desk_verbs.cpp
     ${CMAKE_CURRENT_LIST_DIR}/export.cpp
     ${CMAKE_CURRENT_LIST_DIR}/gate_client.cpp
     ${CMAKE_CURRENT_LIST_DIR}/gate_files.cpp
     ${CMAKE_CURRENT_LIST_DIR}/init.cpp
     ${CMAKE_CURRENT_LIST_DIR}/init_text.cpp
     ${CMAKE_CURRENT_LIST_DIR}/policy_decompose.cpp
     ${CMAKE_CURRENT_LIST_DIR}/policy_json.cpp
     ${CMAKE_CURRENT_LIST_DIR}/policy_verbs.cpp
     ${CMAKE_CURRENT_LIST_DIR}/print.cpp
     ${CMAKE_CURRENT_LIST_DIR}/recorded_session.cpp
     ${CMAKE_CURRENT_LIST_DIR}/replay.cpp
     ${CMAKE_CURRENT_LIST_DIR}/review.cpp
     ${CMAKE_CURRENT_LIST_DIR}/serve.cpp
     ${CMAKE_CURRENT_LIST_DIR}/sessions.cpp
     ${CMAKE_CURRENT_LIST_DIR}/set_up_text.cpp
     ${CMAKE_CURRENT_LIST_DIR}/table.cpp
     ${CMAKE_CURRENT_LIST_DIR}/target_verbs.cpp
     ${CMAKE_CURRENT_LIST_DIR}/watch.cpp
     ${CMAKE_CURRENT_LIST_DIR}/worker.cpp)
