# SPDX-License-Identifier: Apache-2.0
# While rooms are being written: what a room names and nobody has written yet does not stop the
# configuration of the others.

# Drops the files that do not exist from the arguments of the calling function.
macro(octet_note_unfinished)
  foreach(kind HEADERS SOURCES)
    set(existing)
    foreach(file IN LISTS arg_${kind})
      cmake_path(ABSOLUTE_PATH file OUTPUT_VARIABLE whole)
      if(EXISTS ${whole})
        list(APPEND existing ${file})
      else()
        message(WARNING "not written yet: ${whole}")
      endif()
    endforeach()
    set(arg_${kind} ${existing})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY OCTET_DEPENDS ${arg_DEPENDS})
endmacro()

# Adds an empty target for each room that another one depends on and that is not there.
function(octet_add_unfinished)
  get_property(depends GLOBAL PROPERTY OCTET_DEPENDS)
  list(REMOVE_DUPLICATES depends)
  foreach(target IN LISTS depends)
    if(target MATCHES "^octet::(.*)" AND NOT TARGET ${target})
      message(WARNING "not written yet: ${target}")
      add_library(octet_${CMAKE_MATCH_1} INTERFACE)
      add_library(${target} ALIAS octet_${CMAKE_MATCH_1})
    endif()
  endforeach()
endfunction()
