# SPDX-License-Identifier: Apache-2.0
# Compiles through ccache where it is installed, unless another launcher was asked for.

find_program(OCTET_CCACHE ccache)
mark_as_advanced(OCTET_CCACHE)
if(OCTET_CCACHE)
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${OCTET_CCACHE})
    endif()
  endforeach()
endif()
