# SPDX-License-Identifier: Apache-2.0
# oneDNN's v3 API, as octet::onednn_library: the system's package where it is 3.1 or newer, else the
# one that `make build` unpacks into build/onednn.

find_package(dnnl 3.1 CONFIG QUIET PATHS ${PROJECT_SOURCE_DIR}/build/onednn)
if(NOT dnnl_FOUND)
  message(FATAL_ERROR "oneDNN 3.1 or newer: not found in the system or in build/onednn; "
                      "run `cmake/setup/setup.sh build` first")
endif()
message(STATUS "oneDNN ${dnnl_VERSION} (${dnnl_DIR})")
add_library(octet_onednn_library INTERFACE)
add_library(octet::onednn_library ALIAS octet_onednn_library)
target_link_libraries(octet_onednn_library INTERFACE DNNL::dnnl)
