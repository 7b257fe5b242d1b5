# SPDX-License-Identifier: Apache-2.0
# The distribution's packages: cmake/setup/packages-build.txt names what brings each.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(Boost CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)

# libzip's own CMake files want its command-line tools, which are packages of their own.
find_library(OCTET_LIBZIP zip REQUIRED)
mark_as_advanced(OCTET_LIBZIP)
add_library(octet_libzip INTERFACE)
add_library(octet::libzip ALIAS octet_libzip)
target_link_libraries(octet_libzip INTERFACE ${OCTET_LIBZIP})

# Headers alone, and the compiler of schemas; what CMake files the packages bring differ in name.
find_path(OCTET_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_program(OCTET_FLATC flatc REQUIRED)
mark_as_advanced(OCTET_FLATBUFFERS_INCLUDE OCTET_FLATC)

if(OCTET_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
