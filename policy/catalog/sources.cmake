# SPDX-License-Identifier: Apache-2.0
list(APPEND PTYGATE_POLICY_SOURCES
  ${CMAKE_CURRENT_SOURCE_DIR}/strict_toml.cpp)
