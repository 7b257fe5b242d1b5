// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/image_layout.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet::keras {

std::size_t SpatialRank(const LayerCall& call) {
  if (absl::StrContains(call.layer().class_name, "1D")) return 1;
  return absl::StrContains(call.layer().class_name, "3D") ? 3 : 2;
}

std::string ImageLayout::Operator(absl::string_view name) const {
  return absl::StrCat(name, num_spatial_ == 3 ? "3d" : "2d");
}

absl::StatusOr<ImageLayout> ImageLayout::Make(const LayerCall& call, std::size_t num_spatial) {
  ASSIGN_OR_RETURN(const std::string format, call.config().String("data_format", "channels_last"));
  if (format != "channels_last" && format != "channels_first") {
    return call.config().Error("data_format", "channels_last or channels_first");
  }
  return ImageLayout(call, num_spatial, format == "channels_first");
}

absl::StatusOr<ValueId> ImageLayout::Input() const {
  ASSIGN_OR_RETURN(ValueId value, call_.FloatInput());
  const auto rank = static_cast<std::int64_t>(num_spatial_) + 2;
  if (call_.graph().Rank(value) != rank) {
    return call_.Invalid(
        absl::StrCat("got an input of ", call_.graph().Rank(value), " dimensions, wants ", rank));
  }
  if (channels_first_) {
    std::vector<std::int64_t> permutation = {0};
    for (std::int64_t axis = 2; axis < rank; ++axis) permutation.push_back(axis);
    permutation.push_back(1);
    ASSIGN_OR_RETURN(value,
                     call_.graph().Transpose(call_.Name("channels_last"), value, permutation));
  }
  if (!is_sequence()) return value;
  ASSIGN_OR_RETURN(const std::int64_t channels, call_.Length(value, 2));
  return call_.graph().Reshape(call_.Name("to_image"), value, {0, 0, 1, channels});
}

absl::StatusOr<ValueId> ImageLayout::Output(ValueId value) const {
  if (is_sequence()) {
    ASSIGN_OR_RETURN(const std::int64_t channels, call_.Length(value, 3));
    ASSIGN_OR_RETURN(value,
                     call_.graph().Reshape(call_.Name("to_sequence"), value, {0, 0, channels}));
  }
  if (!channels_first_) return value;
  const auto last = static_cast<std::int64_t>(num_spatial_) + 1;
  std::vector<std::int64_t> permutation = {0, last};
  for (std::int64_t axis = 1; axis < last; ++axis) permutation.push_back(axis);
  return call_.graph().Transpose(call_.Name("channels_first"), value, permutation);
}

absl::StatusOr<std::vector<std::int64_t>> ImageLayout::Sizes(absl::string_view key,
                                                             std::int64_t fallback,
                                                             std::int64_t fill) const {
  std::vector<std::int64_t> sizes(num_spatial_, fallback);
  if (call_.config().Has(key)) {
    ASSIGN_OR_RETURN(sizes, call_.config().Ints(key, num_spatial_));
  }
  for (const std::int64_t size : sizes) {
    if (size < 1) return call_.config().Error(key, "lengths of at least 1");
  }
  if (is_sequence()) sizes.push_back(fill);
  return sizes;
}

}  // namespace octet::keras
