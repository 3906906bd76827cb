# SPDX-License-Identifier: Apache-2.0
set(catalog_dir ${CMAKE_CURRENT_SOURCE_DIR}/catalog)
set(catalog_files)
foreach(name files text git containers systemd packages network databases languages wrappers)
  list(APPEND catalog_files ${catalog_dir}/${name}.toml)
endforeach()
string(REPLACE ";" "|" catalog_joined "${catalog_files}")
add_custom_command(
  OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/catalog_text.cpp
  COMMAND ${CMAKE_COMMAND} "-DFILES=${catalog_joined}" -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/catalog_text.cpp -P ${catalog_dir}/embed.cmake
  DEPENDS ${catalog_files} ${catalog_dir}/embed.cmake
  VERBATIM)
list(APPEND PTYGATE_POLICY_SOURCES
  ${CMAKE_CURRENT_SOURCE_DIR}/strict_toml.cpp
  ${catalog_dir}/builtin.cpp
  ${catalog_dir}/classify.cpp
  ${catalog_dir}/loader.cpp
  ${catalog_dir}/matcher.cpp
  ${catalog_dir}/paths.cpp
  ${catalog_dir}/sql.cpp
  ${catalog_dir}/wrappers.cpp
  ${CMAKE_CURRENT_BINARY_DIR}/catalog_text.cpp)
