// SPDX-License-Identifier: Apache-2.0

#include "models/operators/resize2d.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/resize_table.h"
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

// --- Any rule of ONNX's, by tables.

constexpr std::array kRuleAttributes = {"coordinates",     "rounding",     "cubic_coefficient",
                                        "exclude_outside", "antialias",    "factors",
                                        "region",          "outside_value"};

// Whether the node says more than an interpolation that has its own loop.
bool HasRule(const Node& node, const std::string& interpolation) {
  return interpolation == "bicubic" ||
         std::any_of(kRuleAttributes.begin(), kRuleAttributes.end(),
                     [&node](const char* key) { return node.attributes.contains(key); });
}

absl::StatusOr<std::vector<double>> FloatsAttribute(const Node& node, const std::string& key,
                                                    std::vector<double> fallback) {
  const auto found = node.attributes.find(key);
  if (found == node.attributes.end()) return fallback;
  const auto* const values = std::get_if<std::vector<double>>(&found->second);
  const bool fits = values != nullptr && values->size() == fallback.size() &&
                    std::all_of(values->begin(), values->end(),
                                [](double value) { return std::isfinite(value); });
  if (fits) return *values;
  return InvalidNode(node, "attribute \"", key, "\" is no list of ", fallback.size(),
                     " finite floats");
}

// Which of `names`, in the order of an enumeration, the attribute is.
template <typename Choice>
absl::StatusOr<Choice> ChoiceAttribute(const Node& node, absl::string_view key,
                                       std::initializer_list<absl::string_view> names,
                                       Choice fallback) {
  const absl::string_view* const first = names.begin();
  ASSIGN_OR_RETURN(const std::string name,
                   NameAttribute(node, key, first[static_cast<std::size_t>(fallback)], names));
  return static_cast<Choice>(std::find(names.begin(), names.end(), name) - names.begin());
}

struct GeneralResize {
  ResizeRule rule;
  ResizeAxis height;
  ResizeAxis width;
  float outside_value = 0;
};

absl::Status CheckAxis(const Node& node, const ResizeAxis& axis) {
  if (std::max(axis.in, axis.out) > ResizeAxis::kMaxSize) {
    return UnimplementedNode(node, "makes ", axis.out, " of ", axis.in, " pixels, wants at most ",
                             ResizeAxis::kMaxSize);
  }
  const double exact = static_cast<double>(axis.in) * axis.factor;
  if (!(exact >= 0.5) || !(std::abs(exact - static_cast<double>(axis.out)) < 1)) {
    return InvalidNode(node, "the factor ", axis.factor, " makes ", exact, " of ", axis.in,
                       " pixels, and the size is ", axis.out);
  }
  return absl::OkStatus();
}

absl::StatusOr<ResizeRule> ReadRule(const Node& node) {
  ResizeRule rule;
  ASSIGN_OR_RETURN(rule.kernel, ChoiceAttribute(node, "interpolation",
                                                {"nearest", "bilinear", "bicubic"}, rule.kernel));
  ASSIGN_OR_RETURN(
      rule.coordinates,
      ChoiceAttribute(node, "coordinates",
                      {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                       "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"},
                      rule.coordinates));
  ASSIGN_OR_RETURN(
      rule.rounding,
      ChoiceAttribute(node, "rounding",
                      {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, rule.rounding));
  ASSIGN_OR_RETURN(rule.cubic_coefficient,
                   FloatAttribute(node, "cubic_coefficient", rule.cubic_coefficient));
  ASSIGN_OR_RETURN(rule.exclude_outside, FlagAttribute(node, "exclude_outside", false));
  ASSIGN_OR_RETURN(rule.antialias, FlagAttribute(node, "antialias", false));
  return rule;
}

// Precondition: `shape` has a known height and width.
absl::StatusOr<GeneralResize> ReadGeneral(const Node& node, const Shape& shape,
                                          const ResizeSize& size) {
  GeneralResize resize;
  ASSIGN_OR_RETURN(resize.rule, ReadRule(node));
  ASSIGN_OR_RETURN(resize.outside_value, FloatAttribute(node, "outside_value", 0));
  resize.height.in = shape[1].value();
  resize.width.in = shape[2].value();
  resize.height.out = size.height;
  resize.width.out = size.width;
  const auto ratio = [](const ResizeAxis& axis) {
    return static_cast<double>(axis.out) / static_cast<double>(axis.in);
  };
  ASSIGN_OR_RETURN(const std::vector<double> factors,
                   FloatsAttribute(node, "factors", {ratio(resize.height), ratio(resize.width)}));
  ASSIGN_OR_RETURN(const std::vector<double> region, FloatsAttribute(node, "region", {0, 0, 1, 1}));
  for (const std::size_t i : {0U, 1U}) {
    ResizeAxis& axis = i == 0 ? resize.height : resize.width;
    axis.factor = factors[i];
    axis.start = region[i];
    axis.end = region[i + 2];
    RETURN_IF_ERROR(CheckAxis(node, axis));
  }
  return resize;
}

class ResizeTables {
 public:
  explicit ResizeTables(const GeneralResize& resize)
      : rows_(MakeResizeTable(resize.rule, resize.height)),
        columns_(MakeResizeTable(resize.rule, resize.width)),
        outside_value_(resize.outside_value) {}

  [[nodiscard]] std::size_t byte_size() const { return rows_.byte_size() + columns_.byte_size(); }

  void Copy(const StepArguments& arguments) const {
    const Images images = MakeImages(arguments);
    const std::size_t pixel_bytes =
        static_cast<std::size_t>(images.channels) * BitWidth(arguments.inputs[0].data_type) / 8;
    const auto* x = arguments.inputs[0].as<std::byte>();
    auto* out = arguments.outputs[0].as<std::byte>();
    for (std::int64_t n = 0; n < images.count; ++n) {
      for (const ResizeTable::Sum& row : rows_.sums) {
        for (const ResizeTable::Sum& column : columns_.sums) {
          if (row.count == 0 || column.count == 0) {  // of floats only
            std::fill_n(reinterpret_cast<float*>(out), images.channels, outside_value_);
          } else {
            const std::int64_t pixel =
                (n * images.in_height + row.first) * images.in_width + column.first;
            std::memcpy(out, x + static_cast<std::size_t>(pixel) * pixel_bytes, pixel_bytes);
          }
          out += pixel_bytes;
        }
      }
    }
  }

  // The rows of the input that make one of the output are summed up first, in scratch.
  void Interpolate(const StepArguments& arguments) const {
    const Images images = MakeImages(arguments);
    const std::int64_t row_size = images.in_width * images.channels;
    const float* x = arguments.inputs[0].as<float>();
    float* out = arguments.outputs[0].as<float>();
    auto* const sum = reinterpret_cast<float*>(arguments.scratch.data());
    for (std::int64_t n = 0; n < images.count; ++n) {
      const float* image = x + n * images.in_height * row_size;
      for (const ResizeTable::Sum& row : rows_.sums) {
        if (row.count == 0) {
          std::fill_n(out, images.out_width * images.channels, outside_value_);
        } else {
          AddUp(image + row.first * row_size, row_size, row, rows_.weights, sum);
          MakeRow(sum, images.channels, out);
        }
        out += images.out_width * images.channels;
      }
    }
  }

 private:
  // sum = the `size` elements at `x` and those right behind them, each times its weight.
  static void AddUp(const float* x, std::int64_t size, const ResizeTable::Sum& terms,
                    const std::vector<float>& weights, float* sum) {
    for (std::int64_t term = 0; term < terms.count; ++term, x += size) {
      const float weight = weights[terms.weights + static_cast<std::size_t>(term)];
      if (term == 0) {
        for (std::int64_t i = 0; i < size; ++i) sum[i] = weight * x[i];
      } else {
        for (std::int64_t i = 0; i < size; ++i) sum[i] += weight * x[i];
      }
    }
  }

  void MakeRow(const float* row, std::int64_t channels, float* out) const {
    for (const ResizeTable::Sum& column : columns_.sums) {
      if (column.count == 0) {
        std::fill_n(out, channels, outside_value_);
      } else {
        AddUp(row + column.first * channels, channels, column, columns_.weights, out);
      }
      out += channels;
    }
  }

  const ResizeTable rows_;
  const ResizeTable columns_;
  const float outside_value_;
};

std::unique_ptr<const Step> PrepareGeneral(const GeneralResize& resize) {
  auto tables = std::make_shared<const ResizeTables>(resize);
  const std::size_t byte_size = tables->byte_size();
  if (resize.rule.kernel == ResizeKernel::kNearest) {
    return MakeStep(
        "portable:resize_copy",
        [tables = std::move(tables)](const StepArguments& arguments) { tables->Copy(arguments); },
        byte_size);
  }
  return MakeStepWithScratch(
      "portable:resize_tables",
      [tables = std::move(tables)](const StepArguments& arguments) {
        tables->Interpolate(arguments);
      },
      [](std::span<const TensorView> inputs) {
        const auto dims = inputs[0].dims;
        return static_cast<std::size_t>(dims[2] * dims[3]) * sizeof(float);
      },
      byte_size);
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
    ASSIGN_OR_RETURN(
        const std::string interpolation,
        NameAttribute(node, "interpolation", "nearest", {"nearest", "bilinear", "bicubic"}));
    const bool has_rule = HasRule(node, interpolation);
    if (interpolation != "nearest" || node.attributes.contains("region")) {
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
    if (has_rule) {
      RETURN_IF_ERROR(ReadGeneral(node, types[0].shape, size).status());
    }
    TensorType output = types[0];
    output.shape[1] = Dim(size.height);
    output.shape[2] = Dim(size.width);
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::string interpolation,
                     context.node.String("interpolation", "nearest"));
    if (HasRule(context.node, interpolation)) {
      const Shape& out = context.outputs[0].shape;
      ASSIGN_OR_RETURN(
          const GeneralResize resize,
          ReadGeneral(context.node, context.inputs[0].shape, {out[1].value(), out[2].value()}));
      return PrepareGeneral(resize);
    }
    if (interpolation == "nearest") return MakeStep("portable:resize_nearest", ResizeNearest);
    return MakeStep("portable:resize_bilinear", ResizeBilinear);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeResize2d() { return std::make_unique<const Resize2d>(); }

}  // namespace octet
