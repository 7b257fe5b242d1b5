// SPDX-License-Identifier: Apache-2.0
// The filter of a convolution as one matrix a group. Private to this room.

#pragma once

#include <cstddef>
#include <span>

#include "kernels/conv2d.h"
#include "kernels/packed/s16_product.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {

// What a row of inputs, and so the reduced dimension, holds.
inline std::size_t RowSize(const Conv2dGeometry& g) {
  return g.kernel_height * g.kernel_width * (g.in_channels / g.groups);
}

// filter[p, o] for one group, o counted inside the group.
inline std::size_t FilterIndex(const Conv2dGeometry& g, std::size_t group, std::size_t p,
                               std::size_t o) {
  return p * g.out_channels + group * (g.out_channels / g.groups) + o;
}

template <typename T>
std::span<const T> GroupPart(std::span<const T> values, const Conv2dGeometry& g,
                             std::size_t group) {
  const std::size_t size = g.out_channels / g.groups;
  return values.empty() ? values : values.subspan(group * size, size);
}

inline Epilogue GroupEpilogue(const Epilogue& epilogue, const Conv2dGeometry& g,
                              std::size_t group) {
  Epilogue part = epilogue;
  part.bias_s32 = GroupPart(epilogue.bias_s32, g, group);
  part.bias_f32 = GroupPart(epilogue.bias_f32, g, group);
  part.weight_scale = GroupPart(epilogue.weight_scale, g, group);
  part.multiplier = GroupPart(epilogue.multiplier, g, group);
  part.fixed = GroupPart(epilogue.fixed, g, group);
  return part;
}

// One group's product; `spec` outlives its preparation.
inline S8Product::Spec GroupProduct(const Conv2dS8Spec& spec, std::size_t group) {
  const Conv2dGeometry& g = spec.geometry;
  return {.k = RowSize(g),
          .n = g.out_channels / g.groups,
          .weight =
              [&spec, group](std::size_t p, std::size_t o) {
                return spec.filter[FilterIndex(spec.geometry, group, p, o)];
              },
          .lhs_zero_point = spec.in_zero_point,
          .epilogue = GroupEpilogue(spec.epilogue, g, group),
          .zero_point = GroupPart(spec.filter_zero_point, g, group)};
}
inline S16Product::Spec GroupProduct(const Conv2dS16Spec& spec, std::size_t group) {
  const Conv2dGeometry& g = spec.geometry;
  EpilogueS16 epilogue = spec.epilogue;
  epilogue.bias = GroupPart(epilogue.bias, g, group);
  epilogue.multiplier = GroupPart(epilogue.multiplier, g, group);
  return {.k = RowSize(g),
          .n = g.out_channels / g.groups,
          .weight =
              [&spec, group](std::size_t p, std::size_t o) {
                return spec.filter[FilterIndex(spec.geometry, group, p, o)];
              },
          .epilogue = epilogue};
}

}  // namespace octet::kernels
