# SPDX-License-Identifier: Apache-2.0

# octet_rooms(<folder>...)
#
# Adds each folder. One that is missing is an error: a list that is silent about it hides tests.
function(octet_rooms)
  foreach(room IN LISTS ARGN)
    add_subdirectory(${room})
  endforeach()
endfunction()
