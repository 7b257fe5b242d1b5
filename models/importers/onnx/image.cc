// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/image.h"

#include <algorithm>
#include <utility>

#include "models/base/status_macros.h"

namespace octet::onnx {

namespace {

// Far beyond any window; keeps sums from overflowing.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;

std::int64_t Extent(const ImageWindow& window, std::size_t axis) {
  return (window.kernel[axis] - 1) * window.dilations[axis] + 1;
}

// As "same", but what cannot be halved is put in front.
absl::Status PadInFront(const NodeCall& call, const Activation& x, std::size_t spatial_rank,
                        ImageWindow& window) {
  window.padding = "explicit";
  const std::size_t behind = window.num_axes();
  window.pads.assign(2 * behind, 0);
  for (std::size_t axis = 0; axis < spatial_rank; ++axis) {
    const Dim& dim = x.shape[axis + 2];
    if (!dim.is_constant()) return call.Unimplemented("SAME_LOWER over an open size");
    const std::int64_t stride = window.strides[axis];
    const std::int64_t out = (dim.value() + stride - 1) / stride;
    const std::int64_t total =
        std::max<std::int64_t>((out - 1) * stride + Extent(window, axis) - dim.value(), 0);
    window.pads[axis] = total - total / 2;
    window.pads[axis + behind] = total / 2;
  }
  return absl::OkStatus();
}

// More padding behind, so that a last window that is only begun counts too.
absl::Status RoundUp(const NodeCall& call, const Activation& x, std::size_t spatial_rank,
                     ImageWindow& window) {
  const std::size_t behind = window.num_axes();
  for (std::size_t axis = 0; axis < spatial_rank; ++axis) {
    const Dim& dim = x.shape[axis + 2];
    if (!dim.is_constant()) return call.Unimplemented("ceil_mode over an open size");
    const std::int64_t padded = dim.value() + window.pads[axis] + window.pads[axis + behind];
    const std::int64_t stride = window.strides[axis];
    const std::int64_t rest = (padded - Extent(window, axis)) % stride;
    if (rest <= 0) continue;
    // A window that would begin in the padding behind is left out.
    const std::int64_t begin = padded - Extent(window, axis) - rest + stride;
    if (begin >= dim.value() + window.pads[axis]) continue;
    window.pads[axis + behind] += stride - rest;
    window.padding = "explicit";
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckImageSizes(const NodeCall& call, absl::string_view what,
                             const std::vector<std::int64_t>& values, std::int64_t at_least) {
  for (const std::int64_t value : values) {
    if (value < at_least || value >= kMaxSize) {
      return call.Invalid(
          absl::StrCat("its ", what, " hold ", value, ", wants ", at_least, " to 2^31 - 1"));
    }
  }
  return absl::OkStatus();
}

bool ImageWindow::has_dilations() const {
  return std::any_of(dilations.begin(), dilations.end(), [](auto factor) { return factor != 1; });
}

ImageWindow ImageWindow::OverVolume() const {
  if (is_of_volumes()) return *this;
  ImageWindow window = *this;
  for (std::vector<std::int64_t>* const sizes :
       {&window.kernel, &window.strides, &window.dilations}) {
    sizes->insert(sizes->begin(), 1);
  }
  window.pads.insert(window.pads.begin() + 2, 0);
  window.pads.insert(window.pads.begin(), 0);
  return window;
}

Attributes ImageWindow::attributes() const {
  Attributes attributes = {{"strides", strides}, {"padding", padding}};
  if (padding == "explicit") attributes["pads"] = pads;
  return attributes;
}

absl::string_view SpatialName(std::size_t spatial_rank) {
  if (spatial_rank == 1) return "1D";
  return spatial_rank == 2 ? "2D" : "3D";
}

absl::StatusOr<std::size_t> SpatialRank(const NodeCall& call, const Activation& x,
                                        std::size_t most) {
  if (x.shape.size() >= 3 && x.shape.size() <= most + 2) return x.shape.size() - 2;
  return call.Unimplemented(
      absl::StrCat("an input of ", x.shape.size(), " dimensions, wants [N, C, W]",
                   most == 2 ? " or [N, C, H, W]" : ", [N, C, H, W] or [N, C, D, H, W]"));
}

absl::StatusOr<ValueId> ImageOf(NodeCall& call, Activation& x) {
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, x, kMostAxes));
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(x, ChannelsLastOrder(x.shape.size())));
  if (call.lead() == 0 && spatial_rank > 1) return id;
  if (call.lead() == 1 && x.shape[0] != Dim(1)) {
    return call.Unimplemented(
        "images whose number is not 1, in a model whose first dimension is not the batch");
  }
  std::vector<std::size_t> axes = {0};
  for (std::size_t i = 0; i < spatial_rank; ++i) axes.push_back(call.lead() + 1 + i);
  if (spatial_rank == 1) axes.push_back(NodeCall::kNewAxis);
  axes.push_back(call.lead() + 1 + spatial_rank);
  return call.Rearrange(id, axes, "image");
}

absl::StatusOr<Operand> FromImage(NodeCall& call, ValueId id, const Activation& x) {
  const std::size_t rank = x.shape.size();
  if (call.lead() == 1 || rank == 3) {
    std::vector<std::size_t> axes = {0};
    if (call.lead() == 1) axes.push_back(NodeCall::kNewAxis);
    for (std::size_t axis = 1; axis + 1 < rank; ++axis) axes.push_back(axis);
    axes.push_back(std::max<std::size_t>(rank, 4) - 1);
    ASSIGN_OR_RETURN(id, call.Rearrange(id, axes, "from_image"));
  }
  return call.Result(id, ChannelsLastOrder(rank));
}

absl::StatusOr<ValueId> AsVolume(const NodeCall& call, ValueId image) {
  if (call.graph().Rank(image) == 5) return image;
  return call.Rearrange(image, {0, NodeCall::kNewAxis, 1, 2, 3}, "volume");
}

absl::StatusOr<Operand> FromVolume(NodeCall& call, ValueId id, const Activation& x) {
  if (x.shape.size() < 5) {
    ASSIGN_OR_RETURN(id, call.Rearrange(id, {0, 2, 3, 4}, "from_volume"));
  }
  return FromImage(call, id, x);
}

absl::StatusOr<std::vector<std::int64_t>> ImageSizes(const NodeCall& call,
                                                     const std::vector<std::int64_t>& values,
                                                     std::size_t spatial_rank,
                                                     std::int64_t fallback) {
  const std::size_t num_axes = std::max<std::size_t>(spatial_rank, 2);
  if (values.empty()) return std::vector<std::int64_t>(num_axes, fallback);
  if (values.size() != spatial_rank) {
    return call.Invalid(
        absl::StrCat("got ", values.size(), " sizes for ", spatial_rank, " axes of space"));
  }
  std::vector<std::int64_t> sizes = values;
  sizes.resize(num_axes, fallback);
  return sizes;
}

absl::StatusOr<ImageWindow> ImageStepsOf(NodeCall& call, const Activation& x,
                                         const std::vector<std::int64_t>& kernel) {
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, x, kMostAxes));
  ImageWindow window;
  ASSIGN_OR_RETURN(window.kernel, ImageSizes(call, kernel, spatial_rank, 1));
  ASSIGN_OR_RETURN(const auto strides, call.Ints("strides"));
  ASSIGN_OR_RETURN(window.strides, ImageSizes(call, strides, spatial_rank, 1));
  ASSIGN_OR_RETURN(const auto dilations, call.Ints("dilations"));
  ASSIGN_OR_RETURN(window.dilations, ImageSizes(call, dilations, spatial_rank, 1));
  RETURN_IF_ERROR(CheckImageSizes(call, "kernel", window.kernel, 1));
  RETURN_IF_ERROR(CheckImageSizes(call, "strides", window.strides, 1));
  RETURN_IF_ERROR(CheckImageSizes(call, "dilations", window.dilations, 1));
  window.pads.assign(2 * window.num_axes(), 0);
  return window;
}

absl::StatusOr<ImageWindow> ImageWindowOf(NodeCall& call, const Activation& x,
                                          const std::vector<std::int64_t>& kernel) {
  ASSIGN_OR_RETURN(const std::size_t spatial_rank, SpatialRank(call, x, kMostAxes));
  ASSIGN_OR_RETURN(ImageWindow window, ImageStepsOf(call, x, kernel));
  ASSIGN_OR_RETURN(const auto pads, call.Ints("pads"));
  RETURN_IF_ERROR(CheckImageSizes(call, "pads", pads, 0));
  ASSIGN_OR_RETURN(const std::string auto_pad, call.String("auto_pad", "NOTSET"));
  ASSIGN_OR_RETURN(const std::int64_t ceil_mode, call.Int("ceil_mode", 0));
  if (auto_pad == "SAME_UPPER") {
    window.padding = "same";
    return window;
  }
  if (auto_pad == "SAME_LOWER") {
    RETURN_IF_ERROR(PadInFront(call, x, spatial_rank, window));
    return window;
  }
  if (auto_pad != "NOTSET" && auto_pad != "VALID") {
    return call.Invalid(absl::StrCat("attribute \"auto_pad\" is \"", auto_pad, "\""));
  }
  if (auto_pad == "NOTSET" && !pads.empty()) {
    if (pads.size() != 2 * spatial_rank) {
      return call.Invalid(
          absl::StrCat("got ", pads.size(), " pads for ", spatial_rank, " axes of space"));
    }
    for (std::size_t axis = 0; axis < spatial_rank; ++axis) {
      window.pads[axis] = pads[axis];
      window.pads[axis + window.num_axes()] = pads[axis + spatial_rank];
    }
    const bool has_pads = std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad != 0; });
    if (has_pads) window.padding = "explicit";
  }
  if (ceil_mode != 0) RETURN_IF_ERROR(RoundUp(call, x, spatial_rank, window));
  return window;
}

}  // namespace octet::onnx
