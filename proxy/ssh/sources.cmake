list(APPEND PTYGATE_PROXY_SOURCES
     ${CMAKE_CURRENT_LIST_DIR}/channel.cpp
     ${CMAKE_CURRENT_LIST_DIR}/client_leg.cpp
     ${CMAKE_CURRENT_LIST_DIR}/host_key.cpp
     ${CMAKE_CURRENT_LIST_DIR}/transport.cpp
     ${CMAKE_CURRENT_LIST_DIR}/upstream_leg.cpp)
