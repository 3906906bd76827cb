list(APPEND PTYGATE_PROXY_SOURCES
     ${CMAKE_CURRENT_LIST_DIR}/agent_voice.cpp
     ${CMAKE_CURRENT_LIST_DIR}/exec_session.cpp
     ${CMAKE_CURRENT_LIST_DIR}/farewell.cpp
     ${CMAKE_CURRENT_LIST_DIR}/jump.cpp
     ${CMAKE_CURRENT_LIST_DIR}/pump.cpp
     ${CMAKE_CURRENT_LIST_DIR}/upstreams.cpp
     ${CMAKE_CURRENT_LIST_DIR}/verb_session.cpp)
