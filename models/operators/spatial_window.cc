// SPDX-License-Identifier: Apache-2.0

#include "models/operators/spatial_window.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxSize = std::numeric_limits<std::int32_t>::max();

enum class Padding { kValid, kSame, kExplicit };

absl::Status CheckSize(std::int64_t size) {
  if (size >= 1 && size <= kMaxSize) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a size of ", size, ", wants 1 to 2^31 - 1"));
}

// From the first to the last pixel of a window.
std::int64_t Extent(const AxisWindow& window) { return (window.kernel - 1) * window.dilation + 1; }

absl::Status CheckFits(bool is_same, const AxisWindow& window) {
  RETURN_IF_ERROR(CheckSize(window.in));
  const std::int64_t padded = window.in + window.pad_before + window.pad_after;
  if (is_same || Extent(window) <= padded) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a kernel of ", window.kernel, " with dilation ",
                                                 window.dilation, " spans ", Extent(window),
                                                 ", which does not fit into ", padded));
}

// Fills in the pads and the output size. Every size is below 2^31, so that nothing overflows.
void Complete(bool is_same, AxisWindow& window) {
  const std::int64_t extent = Extent(window);
  if (is_same) {
    window.out = (window.in - 1) / window.stride + 1;
    const std::int64_t total =
        std::max<std::int64_t>((window.out - 1) * window.stride + extent - window.in, 0);
    window.pad_before = total / 2;
    window.pad_after = total - window.pad_before;
    return;
  }
  window.out = (window.in + window.pad_before + window.pad_after - extent) / window.stride + 1;
}

AxisWindow WithSize(AxisWindow window, std::int64_t in) {
  window.in = in;
  return window;
}

// The output size as a function of the input's: what Complete says for any size that it takes.
absl::StatusOr<Dim> OutDim(bool is_same, const Dim& in, const AxisWindow& window) {
  const std::int64_t pads = window.pad_before + window.pad_after;
  ASSIGN_OR_RETURN(const Dim last_start, in.Plus(is_same ? -1 : pads - Extent(window)));
  ASSIGN_OR_RETURN(const Dim steps, last_start.FloorDividedBy(window.stride));
  return steps.Plus(1);
}

// Completes the window over `in` and returns the output size.
absl::StatusOr<Dim> Place(bool is_same, const Dim& in, AxisWindow& window) {
  if (in.is_constant()) {
    window.in = in.value();
    RETURN_IF_ERROR(CheckFits(is_same, window));
    Complete(is_same, window);
    return Dim(window.out);
  }
  if (in.symbol() == kRows) {
    return absl::InvalidArgumentError("the number of rows is a size of the images");
  }
  ASSIGN_OR_RETURN(const Dim out, OutDim(is_same, in, window));
  window.in = std::max<std::int64_t>(Extent(window) - window.pad_before - window.pad_after, 1);
  RETURN_IF_ERROR(CheckFits(is_same, window));
  Complete(is_same, window);
  return out;
}

absl::StatusOr<Padding> PaddingAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string name,
                   NameAttribute(node, "padding", "valid", {"valid", "same", "explicit"}));
  if (name == "same") return Padding::kSame;
  return name == "valid" ? Padding::kValid : Padding::kExplicit;
}

}  // namespace

absl::StatusOr<std::int64_t> KnownSize(const Node& node, const Dim& dim) {
  if (!dim.is_constant()) return UnimplementedNode(node, "images of an open size");
  if (absl::Status status = CheckSize(dim.value()); !status.ok()) return WithNode(node, status);
  return dim.value();
}

absl::Status SpatialWindow::CheckSize(std::int64_t in_height, std::int64_t in_width) const {
  RETURN_IF_ERROR(CheckFits(is_same, WithSize(height, in_height)));
  return CheckFits(is_same, WithSize(width, in_width));
}

SpatialWindow SpatialWindow::For(std::int64_t in_height, std::int64_t in_width) const {
  SpatialWindow window = *this;
  window.height.in = in_height;
  window.width.in = in_width;
  Complete(is_same, window.height);
  Complete(is_same, window.width);
  window.out_height = Dim(window.height.out);
  window.out_width = Dim(window.width.out);
  window.is_open = false;
  return window;
}

absl::StatusOr<SpatialWindow> SpatialWindowAttributes(const Node& node, const Shape& shape,
                                                      std::int64_t kernel_height,
                                                      std::int64_t kernel_width,
                                                      Dilations dilations) {
  SpatialWindow window;
  ASSIGN_OR_RETURN(window.height.kernel, KnownSize(node, Dim(kernel_height)));
  ASSIGN_OR_RETURN(window.width.kernel, KnownSize(node, Dim(kernel_width)));
  ASSIGN_OR_RETURN(const auto strides, IntsAttribute(node, "strides", {1, 1}, 2, 1));
  window.height.stride = strides[0];
  window.width.stride = strides[1];
  if (dilations == Dilations::kAllowed) {
    ASSIGN_OR_RETURN(const auto factors, IntsAttribute(node, "dilations", {1, 1}, 2, 1));
    window.height.dilation = factors[0];
    window.width.dilation = factors[1];
  }
  ASSIGN_OR_RETURN(const Padding padding, PaddingAttribute(node));
  window.is_same = padding == Padding::kSame;
  if (padding == Padding::kExplicit) {
    ASSIGN_OR_RETURN(const auto pads, IntsAttribute(node, "pads", {}, 4, 0));
    window.height.pad_before = pads[0];
    window.width.pad_before = pads[1];
    window.height.pad_after = pads[2];
    window.width.pad_after = pads[3];
  }
  window.is_open = !shape[1].is_constant() || !shape[2].is_constant();
  auto out_height = Place(window.is_same, shape[1], window.height);
  if (!out_height.ok()) return WithNode(node, out_height.status());
  window.out_height = *out_height;
  auto out_width = Place(window.is_same, shape[2], window.width);
  if (!out_width.ok()) return WithNode(node, out_width.status());
  window.out_width = *out_width;
  return window;
}

absl::StatusOr<VolumeWindow> VolumeWindowAttributes(const Node& node, const Shape& shape,
                                                    std::span<const std::int64_t> kernel) {
  ASSIGN_OR_RETURN(const auto strides, IntsAttribute(node, "strides", {1, 1, 1}, 3, 1));
  ASSIGN_OR_RETURN(const auto dilations, IntsAttribute(node, "dilations", {1, 1, 1}, 3, 1));
  ASSIGN_OR_RETURN(const Padding padding, PaddingAttribute(node));
  std::vector<std::int64_t> pads(6, 0);
  if (padding == Padding::kExplicit) {
    ASSIGN_OR_RETURN(pads, IntsAttribute(node, "pads", {}, 6, 0));
  }
  VolumeWindow window;
  for (std::size_t i = 0; i < window.size(); ++i) {
    AxisWindow& axis = window.at(i);
    ASSIGN_OR_RETURN(axis.kernel, KnownSize(node, Dim(kernel[i])));
    ASSIGN_OR_RETURN(axis.in, KnownSize(node, shape[i + 1]));
    axis.stride = strides[i];
    axis.dilation = dilations[i];
    axis.pad_before = pads[i];
    axis.pad_after = pads[i + 3];
    const bool is_same = padding == Padding::kSame;
    if (absl::Status status = CheckFits(is_same, axis); !status.ok()) {
      return WithNode(node, status);
    }
    Complete(is_same, axis);
  }
  return window;
}

}  // namespace octet
