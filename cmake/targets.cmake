# SPDX-License-Identifier: Apache-2.0
# The kinds of target this project has: rooms, programs and tests.

# Flags that every target of ours gets, and no dependency of ours does.
#
# No contraction of a * b + c: a float result must not depend on the instruction set it was
# compiled for.
add_library(octet_flags INTERFACE)
target_compile_features(octet_flags INTERFACE cxx_std_20)
target_compile_options(
  octet_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -ffp-contract=off
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  # GCC 12 sees uninitialized strings in every StatusOr<std::string> that it inlines.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${OCTET_WARNINGS_AS_ERRORS}>:-Werror>)
target_include_directories(octet_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(OCTET_SANITIZE)
  target_compile_options(octet_flags INTERFACE -fsanitize=${OCTET_SANITIZE} -fno-omit-frame-pointer
                                                -fno-sanitize-recover=all)
  # On the rooms as well as on programs and tests: a static library cannot pass link options on.
  add_link_options(-fsanitize=${OCTET_SANITIZE})
endif()
if(OCTET_BUILD_FUZZERS)
  target_compile_options(octet_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# octet_library(<name> HEADERS <h>... [SOURCES <cc>...] [DEPENDS <target>...])
#
# One room: a static library, also known as octet::<name>. A header-only room has no SOURCES.
# Headers are included from the repository's root.
function(octet_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;SOURCES;DEPENDS")
  if(arg_SOURCES)
    add_library(octet_${name} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(octet_${name} PRIVATE octet_flags)
  else()
    add_library(octet_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(octet::${name} ALIAS octet_${name})
  target_sources(octet_${name} ${scope}
                 FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${arg_HEADERS})
  target_compile_features(octet_${name} ${scope} cxx_std_20)
  target_link_libraries(octet_${name} ${scope} ${arg_DEPENDS})
  # Builds each header on its own: `cmake --build . --target all_verify_interface_header_sets`.
  set_target_properties(octet_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# octet_precompile(<target> <header>...)
#
# Compiles those headers once for all sources of `target`. Each source still includes what it uses,
# as a build without this shows (preset `clang`).
function(octet_precompile target)
  if(OCTET_PRECOMPILE_HEADERS)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# octet_program(<name> SOURCES <cc>... [DEPENDS <target>...])
#
# A program that is shipped: bin/<name> in the build folder, installed with the server.
function(octet_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE octet_flags ${arg_DEPENDS})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# octet_test(<path> [LABELS <label>...] [SOURCES <cc>...] DEPENDS <target>...)
#
# tests/<this folder>/<path>_test.cc (with SOURCES, if any) as one executable, and as one CTest
# test that is named after the file it tests: "kernels/matmul". The target tests_<folder> builds all
# of a folder. LABELS is `unit` unless given:
# tests/README.md.
function(octet_test path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LABELS;SOURCES;DEPENDS")
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  octet_test_folder(folder)
  string(REPLACE "/" "_" target "${folder}/${path}_test")
  add_executable(${target} ${path}_test.cc ${arg_SOURCES})
  octet_set_test_flags(${target})
  target_link_libraries(${target} PRIVATE ${arg_DEPENDS} GTest::gtest_main)
  if(TARGET octet_test_headers)
    target_precompile_headers(${target} REUSE_FROM octet_test_headers)
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                             ${PROJECT_BINARY_DIR}/tests/${folder})
  octet_group_test(${folder} ${target})
  add_test(NAME ${folder}/${path} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${folder}/${path} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300)
endfunction()

# What tests are compiled with.
function(octet_set_test_flags target)
  target_link_libraries(${target} PRIVATE octet_flags GTest::gmock)
  # Most of a build's time is in the tests' templates, and what a test measures is in the rooms.
  # -pthread, which gRPC asks for: tests with and without it could not share precompiled headers.
  target_compile_options(${target} PRIVATE -O0 -pthread)
endfunction()

# octet_python_test(<path> [LABELS <label>...] [TIMEOUT <seconds>] [ARGUMENTS <argument>...])
#
# tests/<this folder>/<path>_test.py, run by the virtual environment's Python (build/venv) from the
# repository's root, with OCTET_BIN_DIR naming the folder of the programs under test. LABELS is
# `integration` unless given. Exit status 77 means skipped, with the reason printed.
function(octet_python_test path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS;ARGUMENTS")
  if(NOT arg_LABELS)
    set(arg_LABELS integration)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  octet_test_folder(folder)
  add_test(
    NAME ${folder}/${path}
    COMMAND ${PROJECT_SOURCE_DIR}/build/venv/bin/python ${CMAKE_CURRENT_SOURCE_DIR}/${path}_test.py
            ${arg_ARGUMENTS}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(
    ${folder}/${path}
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77 ENVIRONMENT
               "OCTET_BIN_DIR=${PROJECT_BINARY_DIR}/bin;PYTHONPATH=${PROJECT_SOURCE_DIR}")
endfunction()

# octet_benchmark(<path> [SOURCES <cc>...] DEPENDS <target>...)
#
# tests/<this folder>/<path>_bench.cc (with SOURCES, if any), into the same folder of the build. The
# target tests_bench builds all of them.
function(octet_benchmark path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  octet_test_folder(folder)
  string(REPLACE "/" "_" target "${folder}/${path}_bench")
  add_executable(${target} ${path}_bench.cc ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE octet_flags ${arg_DEPENDS})
  set_target_properties(
    ${target} PROPERTIES OUTPUT_NAME ${path}_bench RUNTIME_OUTPUT_DIRECTORY
                                                   ${PROJECT_BINARY_DIR}/tests/${folder})
  octet_group_test(${folder} ${target})
endfunction()

# Sets `variable` to this folder's path below tests/.
function(octet_test_folder variable)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/tests
             OUTPUT_VARIABLE folder)
  set(${variable} ${folder} PARENT_SCOPE)
endfunction()

# Makes `target` a part of tests_<folder> and of the same for each folder above it.
function(octet_group_test folder target)
  while(folder)
    string(REPLACE "/" "_" group "tests_${folder}")
    if(NOT TARGET ${group})
      add_custom_target(${group})
    endif()
    add_dependencies(${group} ${target})
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
endfunction()
