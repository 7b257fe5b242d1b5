// SPDX-License-Identifier: Apache-2.0
#include "kernels/implementations.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>

namespace octet::kernels {
namespace {

std::string Joined(std::initializer_list<std::size_t> sizes) {
  std::string text;
  for (const std::size_t size : sizes) {
    if (!text.empty()) text += 'x';
    text += std::to_string(size);
  }
  return text;
}

const char* OutputName(EpilogueKind kind) {
  switch (kind) {
    case EpilogueKind::kNone:
      return "s32";
    case EpilogueKind::kDynamic:
      return "dynamic_f32";
    case EpilogueKind::kStatic:
      return "static_s8";
    case EpilogueKind::kStaticFixed:
      return "static_fixed_s8";
    case EpilogueKind::kStaticFloat:
      return "static_f32";
  }
  return "";
}

std::string Ending(EpilogueKind kind, bool has_zero_points) {
  return std::string(has_zero_points ? " zero_points " : " ") + OutputName(kind);
}

}  // namespace

std::string LayerKey(const Conv2dS8Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  return "conv2d_s8 " + Joined({g.in_height, g.in_width, g.in_channels}) + " kernel " +
         Joined({g.kernel_height, g.kernel_width}) + " out " + std::to_string(g.out_channels) +
         " stride " + Joined({g.stride_height, g.stride_width}) + " dilation " +
         Joined({g.dilation_height, g.dilation_width}) + " pad " +
         Joined({g.pad_top, g.pad_left, g.pad_bottom, g.pad_right}) + " groups " +
         std::to_string(g.groups) + (spec.is_open ? " open" : "") +
         Ending(spec.epilogue.kind, !spec.filter_zero_point.empty());
}

std::string LayerKey(const MatmulS8Spec& spec) {
  return "matmul_s8 " + Joined({spec.k, spec.n}) +
         Ending(spec.epilogue.kind, !spec.zero_point.empty());
}

std::string LayerKey(const MatmulS8S4Spec& spec) {
  return "matmul_s8s4 " + Joined({spec.k, spec.n}) + " group " + std::to_string(spec.group_size) +
         Ending(spec.epilogue.kind, !spec.zero_point.empty());
}

std::string CheckImplementation(std::string_view name, std::span<const std::string_view> names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return "";
  std::string error = "implementation is \"" + std::string(name) + "\", wants one of";
  for (const std::string_view fitting : names) error += " \"" + std::string(fitting) + "\"";
  return error;
}

}  // namespace octet::kernels
