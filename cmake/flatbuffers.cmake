# SPDX-License-Identifier: Apache-2.0
# C++ from .fbs files, into the build folder.

# octet_flatbuffer(<name> <schema>.fbs)
#
# The generated header as octet::<name>, included from the repository's root:
# "models/importers/tflite/schema_generated.h". Generated code gets none of our warnings.
function(octet_flatbuffer name schema)
  cmake_path(ABSOLUTE_PATH schema)
  cmake_path(RELATIVE_PATH schema BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE relative)
  cmake_path(GET relative PARENT_PATH folder)
  cmake_path(GET relative STEM stem)
  set(out ${PROJECT_BINARY_DIR}/generated)
  set(header ${out}/${folder}/${stem}_generated.h)
  file(MAKE_DIRECTORY ${out}/${folder})
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${OCTET_FLATC} --cpp -o ${out}/${folder} ${schema}
    DEPENDS ${schema}
    COMMENT "flatc ${relative}"
    VERBATIM)
  add_custom_target(octet_${name}_header DEPENDS ${header})
  add_library(octet_${name} INTERFACE)
  add_library(octet::${name} ALIAS octet_${name})
  add_dependencies(octet_${name} octet_${name}_header)
  target_include_directories(octet_${name} SYSTEM INTERFACE ${out} ${OCTET_FLATBUFFERS_INCLUDE})
endfunction()
