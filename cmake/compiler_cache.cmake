# SPDX-License-Identifier: Apache-2.0
# Compiles through ccache where it is installed, unless another launcher was asked for.

find_program(OCTET_CCACHE ccache)
mark_as_advanced(OCTET_CCACHE)
if(OCTET_CCACHE)
  # What uses a precompiled header is cached only where that is asked for.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${OCTET_CCACHE})
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${launcher})
    endif()
  endforeach()
endif()
