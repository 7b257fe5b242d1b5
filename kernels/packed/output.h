// SPDX-License-Identifier: Apache-2.0
// What a run brings along for an epilogue: its output as bytes, a residual, an image's scale.
// Private to this room.

#pragma once

#include <cstddef>
#include <span>

#include "kernels/epilogue.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

struct OutputBytes {
  std::byte* data;
  std::size_t element_size;
};

inline OutputBytes OutputOf(EpilogueKind kind, const EpilogueOutput& out) {
  switch (kind) {
    case EpilogueKind::kNone:
      return {reinterpret_cast<std::byte*>(out.s32.data()), 4};
    case EpilogueKind::kStatic:
    case EpilogueKind::kStaticFixed:
      return {reinterpret_cast<std::byte*>(out.s8.data()), 1};
    case EpilogueKind::kDynamic:
    case EpilogueKind::kStaticFloat:
      break;
  }
  return {reinterpret_cast<std::byte*>(out.f32.data()), 4};
}

inline OutputBytes OutputOf(EpilogueKind kind, const EpilogueS16Output& out) {
  if (kind == EpilogueKind::kStatic) return {reinterpret_cast<std::byte*>(out.s16.data()), 2};
  return {reinterpret_cast<std::byte*>(out.f32.data()), 4};
}

inline OutputBytes OutputOf(std::span<float> out) {
  return {reinterpret_cast<std::byte*>(out.data()), sizeof(float)};
}

// All rows of an image have one scale; none where the epilogue wants none.
inline RowScales ScaleOfImage(std::span<const float> scales, std::size_t image) {
  return {.scale = scales.empty() ? nullptr : &scales[image]};
}

// Element `offset` of values that may be absent; null: they are.
inline const float* OrNull(const float* values, std::size_t offset) {
  return values == nullptr ? nullptr : values + offset;
}
inline const float* OrNull(std::span<const float> values, std::size_t offset) {
  return values.empty() ? nullptr : values.data() + offset;
}

}  // namespace octet::kernels
