# SPDX-License-Identifier: Apache-2.0
# C++ from .proto files, into the build folder.

# octet_proto(<name> [GRPC] PROTOS <proto>... [DEPENDS <target>...])
#
# The generated messages (with GRPC, the services too) as octet::<name>, included from the
# repository's root: "proto/inference/open_inference_grpc.pb.h". Generated code gets none of our
# warning flags, and its headers none of our warnings.
function(octet_proto name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "GRPC" "" "PROTOS;DEPENDS")
  set(out ${PROJECT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(proto IN LISTS arg_PROTOS)
    cmake_path(ABSOLUTE_PATH proto)
    cmake_path(RELATIVE_PATH proto BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    string(REGEX REPLACE "\\.proto$" "" stem ${out}/${proto})
    set(generated ${stem}.pb.cc ${stem}.pb.h)
    set(flags --cpp_out=${out})
    if(arg_GRPC)
      list(APPEND generated ${stem}.grpc.pb.cc ${stem}.grpc.pb.h)
      list(APPEND flags --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
    endif()
    add_custom_command(
      OUTPUT ${generated}
      COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} ${flags} ${proto}
      DEPENDS ${PROJECT_SOURCE_DIR}/${proto}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      COMMENT "protoc ${proto}"
      VERBATIM)
    list(APPEND sources ${generated})
  endforeach()
  add_library(octet_${name} STATIC ${sources})
  add_library(octet::${name} ALIAS octet_${name})
  target_include_directories(octet_${name} SYSTEM PUBLIC ${out})
  target_compile_features(octet_${name} PUBLIC cxx_std_20)
  target_link_libraries(octet_${name} PUBLIC protobuf::libprotobuf ${arg_DEPENDS})
  if(arg_GRPC)
    target_link_libraries(octet_${name} PUBLIC gRPC::grpc++)
  endif()
endfunction()
