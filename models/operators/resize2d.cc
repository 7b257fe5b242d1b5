// SPDX-License-Identifier: Apache-2.0

#include "models/operators/resize2d.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

struct ResizeSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
};

absl::StatusOr<ResizeSize> OutputSize(const Node& node, const Shape& shape) {
  const bool has_size = node.attributes.find("size") != node.attributes.end();
  const bool has_scale = node.attributes.find("scale") != node.attributes.end();
  if (has_size == has_scale) {
    return InvalidNode(node, "wants one of the attributes \"size\" and \"scale\"");
  }
  if (has_size) {
    ASSIGN_OR_RETURN(const auto size, IntsAttribute(node, "size", {}, 2, 1));
    return ResizeSize{size[0], size[1]};
  }
  ASSIGN_OR_RETURN(const auto scale, IntsAttribute(node, "scale", {}, 2, 1));
  ASSIGN_OR_RETURN(const std::int64_t height, KnownSize(node, shape[1]));
  ASSIGN_OR_RETURN(const std::int64_t width, KnownSize(node, shape[2]));
  return ResizeSize{height * scale[0], width * scale[1]};
}

// Where output position `out` lies between two input positions (half-pixel centres).
struct Neighbours {
  std::int64_t lower;
  std::int64_t upper;
  float fraction;  // of the upper one
};

Neighbours Between(std::int64_t out, std::int64_t in_size, std::int64_t out_size) {
  const float ratio = static_cast<float>(in_size) / static_cast<float>(out_size);
  const float position = (static_cast<float>(out) + 0.5F) * ratio - 0.5F;
  const float lower = std::floor(position);
  const auto at = static_cast<std::int64_t>(lower);
  return {std::clamp<std::int64_t>(at, 0, in_size - 1),
          std::clamp<std::int64_t>(at + 1, 0, in_size - 1), position - lower};
}

// In whole numbers: floor((out + 1/2) * in_size / out_size).
std::int64_t Nearest(std::int64_t out, std::int64_t in_size, std::int64_t out_size) {
  return std::min((2 * out + 1) * in_size / (2 * out_size), in_size - 1);
}

struct Images {
  std::int64_t count, in_height, in_width, channels, out_height, out_width;
};

Images MakeImages(const StepArguments& arguments) {
  const auto in = arguments.inputs[0].dims;
  const auto out = arguments.outputs[0].dims;
  return {in[0], in[1], in[2], in[3], out[1], out[2]};
}

void ResizeNearest(const StepArguments& arguments) {
  const Images images = MakeImages(arguments);
  const std::size_t pixel_bytes =
      static_cast<std::size_t>(images.channels) * BitWidth(arguments.inputs[0].data_type) / 8;
  const auto* x = arguments.inputs[0].as<std::byte>();
  auto* out = arguments.outputs[0].as<std::byte>();
  for (std::int64_t n = 0; n < images.count; ++n) {
    for (std::int64_t h = 0; h < images.out_height; ++h) {
      const std::int64_t row =
          n * images.in_height + Nearest(h, images.in_height, images.out_height);
      for (std::int64_t w = 0; w < images.out_width; ++w) {
        const std::int64_t pixel =
            row * images.in_width + Nearest(w, images.in_width, images.out_width);
        std::memcpy(out, x + static_cast<std::size_t>(pixel) * pixel_bytes, pixel_bytes);
        out += pixel_bytes;
      }
    }
  }
}

void ResizeBilinear(const StepArguments& arguments) {
  const Images images = MakeImages(arguments);
  const float* x = arguments.inputs[0].as<float>();
  float* out = arguments.outputs[0].as<float>();
  const std::int64_t channels = images.channels;
  for (std::int64_t n = 0; n < images.count; ++n) {
    const float* image = x + n * images.in_height * images.in_width * channels;
    for (std::int64_t h = 0; h < images.out_height; ++h) {
      const Neighbours rows = Between(h, images.in_height, images.out_height);
      const float* top = image + rows.lower * images.in_width * channels;
      const float* bottom = image + rows.upper * images.in_width * channels;
      for (std::int64_t w = 0; w < images.out_width; ++w) {
        const Neighbours columns = Between(w, images.in_width, images.out_width);
        const std::int64_t left = columns.lower * channels;
        const std::int64_t right = columns.upper * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
          const float above = top[left + c] + (top[right + c] - top[left + c]) * columns.fraction;
          const float below =
              bottom[left + c] + (bottom[right + c] - bottom[left + c]) * columns.fraction;
          *out++ = above + (below - above) * rows.fraction;
        }
      }
    }
  }
}

class Resize2d final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Resize2d"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 4, 4));
    ASSIGN_OR_RETURN(const std::string interpolation,
                     NameAttribute(node, "interpolation", "nearest", {"nearest", "bilinear"}));
    if (interpolation == "bilinear") {
      RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32}));
    } else {
      RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt8}));
    }
    for (const std::size_t axis : {1U, 2U, 3U}) {
      RETURN_IF_ERROR(KnownSize(node, types[0].shape[axis]).status());
    }
    ASSIGN_OR_RETURN(const ResizeSize size, OutputSize(node, types[0].shape));
    RETURN_IF_ERROR(KnownSize(node, Dim(size.height)).status());
    RETURN_IF_ERROR(KnownSize(node, Dim(size.width)).status());
    TensorType output = types[0];
    output.shape[1] = Dim(size.height);
    output.shape[2] = Dim(size.width);
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::string interpolation,
                     context.node.String("interpolation", "nearest"));
    if (interpolation == "nearest") return MakeStep("portable:resize_nearest", ResizeNearest);
    return MakeStep("portable:resize_bilinear", ResizeBilinear);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeResize2d() { return std::make_unique<const Resize2d>(); }

}  // namespace octet
