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

// Its tables are made in scratch each time: next to nothing beside the pixels, and no memory that a
// model of many nodes would hold.
class TableResize {
 public:
  TableResize(const GeneralResize& resize, std::int64_t channels)
      : resize_(resize),
        channels_(channels),
        // The smaller image between the two passes, which is smaller than one of the others.
        has_rows_first_(resize.height.out * resize.width.in <= resize.height.in * resize.width.out),
        row_table_size_(ResizeTableByteSize(resize.rule, resize.height)),
        column_table_size_(ResizeTableByteSize(resize.rule, resize.width)) {}

  [[nodiscard]] std::size_t scratch_byte_size() const {
    const std::size_t tables = row_table_size_ + column_table_size_;
    if (resize_.rule.kernel == ResizeKernel::kNearest) return tables;
    const std::int64_t pixels =
        has_rows_first_ ? resize_.width.in : resize_.height.in * resize_.width.out;
    return tables + static_cast<std::size_t>(pixels * channels_) * sizeof(float);
  }

  void Run(const StepArguments& arguments) const {
    const Tables tables = {
        MakeResizeTable(resize_.rule, resize_.height, arguments.scratch.first(row_table_size_)),
        MakeResizeTable(resize_.rule, resize_.width,
                        arguments.scratch.subspan(row_table_size_, column_table_size_))};
    if (resize_.rule.kernel == ResizeKernel::kNearest) return Copy(arguments, tables);
    auto* const between =
        reinterpret_cast<float*>(arguments.scratch.data() + row_table_size_ + column_table_size_);
    const float* x = arguments.inputs[0].as<float>();
    float* out = arguments.outputs[0].as<float>();
    for (std::int64_t n = 0; n < arguments.inputs[0].dims[0]; ++n) {
      if (has_rows_first_) {
        RowsFirst(x, tables, between, out);
      } else {
        ColumnsFirst(x, tables, between, out);
      }
      x += resize_.height.in * resize_.width.in * channels_;
      out += resize_.height.out * resize_.width.out * channels_;
    }
  }

 private:
  struct Tables {
    std::span<const ResizeSum> rows;
    std::span<const ResizeSum> columns;
  };

  void Copy(const StepArguments& arguments, const Tables& tables) const {
    const std::size_t pixel_bytes =
        static_cast<std::size_t>(channels_) * BitWidth(arguments.inputs[0].data_type) / 8;
    const auto* x = arguments.inputs[0].as<std::byte>();
    auto* out = arguments.outputs[0].as<std::byte>();
    for (std::int64_t n = 0; n < arguments.inputs[0].dims[0]; ++n) {
      for (const ResizeSum& row : tables.rows) {
        for (const ResizeSum& column : tables.columns) {
          if (row.count == 0 || column.count == 0) {  // of floats only
            std::fill_n(reinterpret_cast<float*>(out), channels_, resize_.outside_value);
          } else {
            const std::int64_t pixel =
                (n * resize_.height.in + row.first) * resize_.width.in + column.first;
            std::memcpy(out, x + static_cast<std::size_t>(pixel) * pixel_bytes, pixel_bytes);
          }
          out += pixel_bytes;
        }
      }
    }
  }

  // `between` has one row of the input's width.
  void RowsFirst(const float* image, const Tables& tables, float* between, float* out) const {
    const std::int64_t row_size = resize_.width.in * channels_;
    for (const ResizeSum& row : tables.rows) {
      if (row.count != 0) {
        AddUp(image + row.first * row_size, row_size, row, between);
        MakeColumns(between, tables, out);
      }
      FillOutside(row, tables, out);
      out += resize_.width.out * channels_;
    }
  }

  // `between` has the input's rows at the output's width.
  void ColumnsFirst(const float* image, const Tables& tables, float* between, float* out) const {
    const std::int64_t row_size = resize_.width.out * channels_;
    for (std::int64_t h = 0; h < resize_.height.in; ++h) {
      MakeColumns(image + h * resize_.width.in * channels_, tables, between + h * row_size);
    }
    for (const ResizeSum& row : tables.rows) {
      if (row.count != 0) AddUp(between + row.first * row_size, row_size, row, out);
      FillOutside(row, tables, out);
      out += row_size;
    }
  }

  // sum = the `size` elements at `x` and those right behind them, each times its weight.
  static void AddUp(const float* x, std::int64_t size, const ResizeSum& terms, float* sum) {
    const float first = terms.weights[0];
    for (std::int64_t i = 0; i < size; ++i) sum[i] = first * x[i];
    for (std::int64_t term = 1; term < terms.count; ++term) {
      x += size;
      const float weight = terms.weights[term];
      for (std::int64_t i = 0; i < size; ++i) sum[i] += weight * x[i];
    }
  }

  void MakeColumns(const float* row, const Tables& tables, float* out) const {
    for (const ResizeSum& column : tables.columns) {
      if (column.count == 0) {
        std::fill_n(out, channels_, 0.0F);  // for now
      } else {
        AddUp(row + column.first * channels_, channels_, column, out);
      }
      out += channels_;
    }
  }

  // What lies outside in a row of the output.
  void FillOutside(const ResizeSum& row, const Tables& tables, float* out) const {
    for (const ResizeSum& column : tables.columns) {
      if (row.count == 0 || column.count == 0) {
        std::fill_n(out, channels_, resize_.outside_value);
      }
      out += channels_;
    }
  }

  const GeneralResize resize_;
  const std::int64_t channels_;
  const bool has_rows_first_;
  const std::size_t row_table_size_;
  const std::size_t column_table_size_;
};

std::unique_ptr<const Step> PrepareGeneral(const TableResize& resize) {
  return MakeStepWithScratch(
      "portable:resize_tables", [resize](const StepArguments& arguments) { resize.Run(arguments); },
      [resize](std::span<const TensorView>) { return resize.scratch_byte_size(); });
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
      const Shape& in = context.inputs[0].shape;
      const Shape& out = context.outputs[0].shape;
      ASSIGN_OR_RETURN(const GeneralResize resize,
                       ReadGeneral(context.node, in, {out[1].value(), out[2].value()}));
      return PrepareGeneral(TableResize(resize, in[3].value()));
    }
    if (interpolation == "nearest") return MakeStep("portable:resize_nearest", ResizeNearest);
    return MakeStep("portable:resize_bilinear", ResizeBilinear);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeResize2d() { return std::make_unique<const Resize2d>(); }

}  // namespace octet
