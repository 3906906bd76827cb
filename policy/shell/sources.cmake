list(APPEND PTYGATE_POLICY_SOURCES
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/bytes.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/commands.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/describe.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/line.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/parser.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/printer.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/redirections.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/refusals.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/shell/words.cpp)
