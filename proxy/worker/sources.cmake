list(APPEND PTYGATE_PROXY_SOURCES
     ${CMAKE_CURRENT_LIST_DIR}/confine.cpp
     ${CMAKE_CURRENT_LIST_DIR}/connection.cpp
     ${CMAKE_CURRENT_LIST_DIR}/directory.cpp
     ${CMAKE_CURRENT_LIST_DIR}/worker.cpp)
