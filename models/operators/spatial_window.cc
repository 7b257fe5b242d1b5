// SPDX-License-Identifier: Apache-2.0

#include "models/operators/spatial_window.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

enum class Padding { kValid, kSame, kExplicit };

// Fills in the pads and the output size. Every size is below 2^31, so that nothing overflows.
absl::Status Complete(const Node& node, Padding padding, AxisWindow& window) {
  const std::int64_t extent = (window.kernel - 1) * window.dilation + 1;
  if (padding == Padding::kSame) {
    window.out = (window.in - 1) / window.stride + 1;
    const std::int64_t total =
        std::max<std::int64_t>((window.out - 1) * window.stride + extent - window.in, 0);
    window.pad_before = total / 2;
    window.pad_after = total - window.pad_before;
    return absl::OkStatus();
  }
  const std::int64_t padded = window.in + window.pad_before + window.pad_after;
  if (extent > padded) {
    return InvalidNode(node, "a kernel of ", window.kernel, " with dilation ", window.dilation,
                       " spans ", extent, ", which does not fit into ", padded);
  }
  window.out = (padded - extent) / window.stride + 1;
  return absl::OkStatus();
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
  if (dim.value() < 1 || dim.value() > std::numeric_limits<std::int32_t>::max()) {
    return InvalidNode(node, "a size of ", dim.value(), ", wants 1 to 2^31 - 1");
  }
  return dim.value();
}

absl::StatusOr<SpatialWindow> SpatialWindowAttributes(const Node& node, const Shape& shape,
                                                      std::int64_t kernel_height,
                                                      std::int64_t kernel_width,
                                                      Dilations dilations) {
  SpatialWindow window;
  ASSIGN_OR_RETURN(window.height.in, KnownSize(node, shape[1]));
  ASSIGN_OR_RETURN(window.width.in, KnownSize(node, shape[2]));
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
  if (padding == Padding::kExplicit) {
    ASSIGN_OR_RETURN(const auto pads, IntsAttribute(node, "pads", {}, 4, 0));
    window.height.pad_before = pads[0];
    window.width.pad_before = pads[1];
    window.height.pad_after = pads[2];
    window.width.pad_after = pads[3];
  }
  RETURN_IF_ERROR(Complete(node, padding, window.height));
  RETURN_IF_ERROR(Complete(node, padding, window.width));
  return window;
}

}  // namespace octet
