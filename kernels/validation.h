// SPDX-License-Identifier: Apache-2.0
// What every prepare step checks before it packs. Private to this room.
//
// Each function returns what is wrong, or an empty string.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kernels/conv2d.h"
#include "kernels/matmul_f32.h"
#include "kernels/matmul_s16.h"
#include "kernels/matmul_s8.h"

namespace octet::kernels {

std::string CheckMatmulS8(const MatmulS8Spec& spec);
std::string CheckMatmulS8S4(const MatmulS8S4Spec& spec);
std::string CheckMatmulS16(const MatmulS16Spec& spec);
std::string CheckMatmulF32(const MatmulF32Spec& spec);
std::string CheckMatmulWeightOnly(const MatmulWeightOnlySpec& spec);
std::string CheckConv2dS8(const Conv2dS8Spec& spec);
std::string CheckConv2dS16(const Conv2dS16Spec& spec);
std::string CheckConv2dF32(const Conv2dF32Spec& spec);

// weight[p, j] of a [k, n] matrix that lies as `layout` says.
inline std::size_t WeightIndex(WeightLayout layout, std::size_t k, std::size_t n, std::size_t p,
                               std::size_t j) {
  return layout == WeightLayout::kInputMajor ? p * n + j : j * k + p;
}

}  // namespace octet::kernels
