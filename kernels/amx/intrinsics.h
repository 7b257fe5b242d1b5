// SPDX-License-Identifier: Apache-2.0
// The instructions of this folder; a test that emulates them on any CPU replaces this header.

#pragma once

#include <immintrin.h>
