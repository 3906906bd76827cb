# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_POLICY_SOURCES
  ${CMAKE_CURRENT_SOURCE_DIR}/account.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/digest.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/evaluate.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/exec_form.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/explain.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/placeholders.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/rule_match.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/rules.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/starter.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/survey.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/units.cpp)
