# SPDX-License-Identifier: Apache-2.0

# octet_rooms(<folder>...)
#
# Adds each folder that has a CMakeLists.txt of its own.
function(octet_rooms)
  foreach(room IN LISTS ARGN)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/CMakeLists.txt)
      add_subdirectory(${room})
    endif()
  endforeach()
endfunction()
