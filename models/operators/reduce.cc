// SPDX-License-Identifier: Apache-2.0

#include "models/operators/reduce.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "kernels/fixed_point.h"
#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

enum class ReduceKind { kMax, kMean, kMin, kProduct, kSum };

// So many int8 values have a sum within int32, and int16 values one that float64 holds.
constexpr std::int64_t kMostSummed = std::int64_t{1} << 23;

absl::StatusOr<ReduceKind> KindAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string kind,
                   NameAttribute(node, "kind", "", {"mean", "sum", "prod", "max", "min"}));
  if (kind == "mean") return ReduceKind::kMean;
  if (kind == "prod") return ReduceKind::kProduct;
  if (kind == "sum") return ReduceKind::kSum;
  return kind == "max" ? ReduceKind::kMax : ReduceKind::kMin;
}

// So many int16 values have a sum within int32, which fixed point takes.
constexpr std::int64_t kMostSummedS16 = std::int64_t{1} << 16;

// How a mean or sum of integers rounds in fixed point; none where it is to be computed otherwise.
absl::StatusOr<std::optional<kernels::FixedRounding>> FixedRoundingAttribute(const Node& node,
                                                                             DataType x,
                                                                             ReduceKind kind) {
  ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(node));
  const std::optional<kernels::FixedRounding> rounding = FixedRoundingOf(requantization);
  const bool is_sum = kind == ReduceKind::kMean || kind == ReduceKind::kSum;
  if (rounding.has_value() && (x == DataType::kFloat32 || !is_sum)) {
    return UnimplementedNode(node, "fixed point for what is no mean or sum of integers");
  }
  return rounding;
}

absl::StatusOr<Shape> ReducedShape(const Node& node, const Shape& shape) {
  ASSIGN_OR_RETURN(const std::vector<std::size_t> axes, AxesAttribute(node, shape.size()));
  ASSIGN_OR_RETURN(const bool keeps, FlagAttribute(node, "keep_dims", false));
  Shape result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool is_reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (is_reduced && keeps) result.push_back(Dim(1));
    if (!is_reduced) result.push_back(shape[i]);
  }
  return result;
}

// `dims` with 1 in place of each reduced one.
std::array<std::int64_t, kMaxRank> KeptDims(std::span<const std::int64_t> dims,
                                            const std::vector<std::size_t>& axes) {
  std::array<std::int64_t, kMaxRank> kept{};
  std::copy(dims.begin(), dims.end(), kept.begin());
  for (const std::size_t axis : axes) kept[axis] = 1;
  return kept;
}

// Folds `x` into `result`, which is initialized. `kept` stretches to `dims`.
template <typename T, typename Result, typename Combine>
void Fold(std::span<const std::int64_t> dims, std::span<const std::int64_t> kept, const T* x,
          Result* result, Combine combine) {
  ForEachBroadcastRun<1>(
      dims, {kept},
      [&](std::int64_t at, const std::array<std::int64_t, 1>& offsets,
          const std::array<std::int64_t, 1>& steps, std::int64_t count) {
        const T* in = x + at;
        Result* out = result + offsets[0];
        if (steps[0] == 1) {
          for (std::int64_t i = 0; i < count; ++i) {
            out[i] = combine(out[i], static_cast<Result>(in[i]));
          }
          return;
        }
        // Eight chains: faster than one, and closer to the exact sum.
        constexpr std::int64_t kChains = 8;
        std::int64_t i = 0;
        Result total = *out;
        if (count >= 2 * kChains) {
          std::array<Result, kChains> chains;
          for (std::size_t c = 0; c < chains.size(); ++c) {
            chains[c] = static_cast<Result>(in[c]);
          }
          for (i = kChains; i + kChains <= count; i += kChains) {
            for (std::size_t c = 0; c < chains.size(); ++c) {
              chains[c] =
                  combine(chains[c], static_cast<Result>(in[i + static_cast<std::int64_t>(c)]));
            }
          }
          for (const Result chain : chains) total = combine(total, chain);
        }
        for (; i < count; ++i) total = combine(total, static_cast<Result>(in[i]));
        *out = total;
      });
}

struct Extent {
  std::array<std::int64_t, kMaxRank> kept{};
  std::size_t rank = 0;
  std::size_t out_size = 0;
  std::int64_t count = 1;  // elements that make one result
};

Extent MakeExtent(const TensorView& x, const std::vector<std::size_t>& axes) {
  Extent extent;
  extent.kept = KeptDims(x.dims, axes);
  extent.rank = x.dims.size();
  extent.out_size =
      static_cast<std::size_t>(NumElements(std::span(extent.kept).first(extent.rank)));
  for (const std::size_t axis : axes) extent.count *= x.dims[axis];
  return extent;
}

template <typename T>
void ReduceExtremes(ReduceKind kind, const Extent& extent, const TensorView& x, T lowest, T highest,
                    T* out) {
  const std::span<const std::int64_t> kept(extent.kept.data(), extent.rank);
  if (kind == ReduceKind::kMax) {
    std::fill_n(out, extent.out_size, lowest);
    Fold(x.dims, kept, x.as<T>(), out, [](T a, T b) { return a > b ? a : b; });
  } else {
    std::fill_n(out, extent.out_size, highest);
    Fold(x.dims, kept, x.as<T>(), out, [](T a, T b) { return a < b ? a : b; });
  }
}

// A product, or an extreme.
void ReduceFloat(ReduceKind kind, const std::vector<std::size_t>& axes,
                 const StepArguments& arguments) {
  const TensorView& x = arguments.inputs[0];
  float* out = arguments.outputs[0].as<float>();
  const Extent extent = MakeExtent(x, axes);
  if (kind != ReduceKind::kProduct) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return ReduceExtremes<float>(kind, extent, x, -kInfinity, kInfinity, out);
  }
  std::fill_n(out, extent.out_size, 1.0F);
  Fold(x.dims, std::span(extent.kept).first(extent.rank), x.as<float>(), out,
       [](float a, float b) { return a * b; });
}

// Sums in float64: what is computed of them, such as a variance as the difference of two, must not
// show in which order they were added.
std::unique_ptr<const Step> MakeFloatSumStep(ReduceKind kind,
                                             const std::vector<std::size_t>& axes) {
  return MakeStepWithScratch(
      "portable:reduce_f32",
      [kind, axes](const StepArguments& arguments) {
        const TensorView& x = arguments.inputs[0];
        float* out = arguments.outputs[0].as<float>();
        const Extent extent = MakeExtent(x, axes);
        ScratchLayout layout(arguments.scratch);
        const std::span<double> sums = layout.Take<double>(extent.out_size);
        std::fill(sums.begin(), sums.end(), 0.0);
        Fold(x.dims, std::span(extent.kept).first(extent.rank), x.as<float>(), sums.data(),
             [](double a, double b) { return a + b; });
        const double count = kind == ReduceKind::kMean ? static_cast<double>(extent.count) : 1.0;
        for (std::size_t i = 0; i < extent.out_size; ++i) {
          out[i] = static_cast<float>(sums[i] / count);
        }
      },
      [axes](std::span<const TensorView> inputs) -> std::size_t {
        ScratchLayout layout;
        layout.Take<double>(MakeExtent(inputs[0], axes).out_size);
        return layout.byte_size();
      });
}

// T is int8 or int16; Sum holds the sum, and the mean is computed in Real.
template <typename T, typename Sum, typename Real>
void ReduceIntegers(ReduceKind kind, const std::vector<std::size_t>& axes,
                    const StepArguments& arguments) {
  const TensorView& x = arguments.inputs[0];
  auto* out = arguments.outputs[0].as<T>();
  const Extent extent = MakeExtent(x, axes);
  if (kind != ReduceKind::kMean) {
    return ReduceExtremes<T>(kind, extent, x, std::numeric_limits<T>::min(),
                             std::numeric_limits<T>::max(), out);
  }
  ScratchLayout layout(arguments.scratch);
  const std::span<Sum> sums = layout.Take<Sum>(extent.out_size);
  std::fill(sums.begin(), sums.end(), Sum{0});
  Fold(x.dims, std::span(extent.kept).first(extent.rank), x.as<T>(), sums.data(),
       [](Sum a, Sum b) { return a + b; });
  const auto count = static_cast<Real>(extent.count);
  for (std::size_t i = 0; i < extent.out_size; ++i) {
    out[i] = static_cast<T>(std::nearbyint(static_cast<Real>(sums[i]) / count));
  }
}

template <typename T, typename Sum, typename Real>
std::unique_ptr<const Step> MakeIntegerStep(std::string kernel_name, ReduceKind kind,
                                            const std::vector<std::size_t>& axes) {
  return MakeStepWithScratch(
      std::move(kernel_name),
      [kind, axes](const StepArguments& arguments) {
        ReduceIntegers<T, Sum, Real>(kind, axes, arguments);
      },
      [axes](std::span<const TensorView> inputs) -> std::size_t {
        ScratchLayout layout;
        layout.Take<Sum>(MakeExtent(inputs[0], axes).out_size);
        return layout.byte_size();
      });
}

// A mean or sum of integers in fixed point, as TensorFlow Lite's: the sum of what lies above the
// zero point, times the scales' quotient, over the count if it is a mean.
kernels::FixedPointScale FixedScale(ReduceKind kind, const TensorQuantization& from,
                                    const TensorQuantization& to, std::int64_t count,
                                    kernels::FixedRounding rounding) {
  kernels::FixedPointNumber number = kernels::MakeFixedPointNumber(
      static_cast<double>(from.scale.value) / static_cast<double>(to.scale.value));
  if (kind == ReduceKind::kMean) {
    const int shift =
        std::min(static_cast<int>(std::bit_width(static_cast<std::uint64_t>(count))) - 1,
                 31 + number.exponent);
    number.multiplier =
        static_cast<std::int32_t>((std::int64_t{number.multiplier} << shift) / count);
    number.exponent -= shift;
  }
  return kernels::MakeFixedPointScale(number, rounding);
}

// T is int8 or int16.
template <typename T>
std::unique_ptr<const Step> MakeFixedStep(std::string kernel_name,
                                          const std::vector<std::size_t>& axes,
                                          const TensorQuantization& from,
                                          const TensorQuantization& to,
                                          const kernels::FixedPointScale& scale) {
  return MakeStepWithScratch(
      std::move(kernel_name),
      [axes, from, to, scale](const StepArguments& arguments) {
        const TensorView& x = arguments.inputs[0];
        auto* out = arguments.outputs[0].as<T>();
        const Extent extent = MakeExtent(x, axes);
        ScratchLayout layout(arguments.scratch);
        const std::span<std::int32_t> sums = layout.Take<std::int32_t>(extent.out_size);
        std::fill(sums.begin(), sums.end(), 0);
        Fold(x.dims, std::span(extent.kept).first(extent.rank), x.as<T>(), sums.data(),
             [](std::int32_t a, std::int32_t b) { return a + b; });
        constexpr std::int64_t kLowest = std::numeric_limits<T>::min();
        constexpr std::int64_t kHighest = std::numeric_limits<T>::max();
        const auto zero = static_cast<std::int32_t>(from.zero_point.value * extent.count);
        for (std::size_t i = 0; i < extent.out_size; ++i) {
          const std::int64_t result =
              std::int64_t{kernels::MultiplyFixedPoint(sums[i] - zero, scale)} +
              to.zero_point.value;
          out[i] = static_cast<T>(std::clamp(result, kLowest, kHighest));
        }
      },
      [axes](std::span<const TensorView> inputs) -> std::size_t {
        ScratchLayout layout;
        layout.Take<std::int32_t>(MakeExtent(inputs[0], axes).out_size);
        return layout.byte_size();
      });
}

class Reduce final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Reduce"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(
        inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt8, DataType::kInt16}));
    const DataType data_type = types[0].data_type;
    const bool is_integer = data_type != DataType::kFloat32;
    ASSIGN_OR_RETURN(const ReduceKind kind, KindAttribute(node));
    ASSIGN_OR_RETURN(Shape shape, ReducedShape(node, types[0].shape));
    ASSIGN_OR_RETURN(const std::vector<std::size_t> axes, AxesAttribute(node, inputs.rank(0)));
    Dim count(1);
    for (const std::size_t axis : axes) {
      const Dim& dim = types[0].shape[axis];
      if (dim == Dim(0)) return InvalidNode(node, "axis ", axis, " holds nothing to reduce");
      if (!is_integer) continue;
      if (!dim.is_constant()) {
        return UnimplementedNode(node, "an ", DataTypeName(data_type), " input of open size");
      }
      auto product = count.Times(dim.value());
      if (!product.ok()) return WithNode(node, product.status());
      count = *product;
    }
    ASSIGN_OR_RETURN(const std::optional<kernels::FixedRounding> rounding,
                     FixedRoundingAttribute(node, data_type, kind));
    if (is_integer) {
      if (kind == ReduceKind::kSum && !rounding.has_value()) {
        return UnimplementedNode(node, "the sum of an ", DataTypeName(data_type), " input");
      }
      if (kind == ReduceKind::kProduct) {
        return UnimplementedNode(node, "the product of an ", DataTypeName(data_type), " input");
      }
      const bool is_narrow = data_type == DataType::kInt16 && rounding.has_value();
      const std::int64_t most = is_narrow ? kMostSummedS16 : kMostSummed;
      if (count.value() > most) {
        return UnimplementedNode(node, "a mean or sum of ", count.value(), " ",
                                 DataTypeName(data_type), " values, wants at most ", most);
      }
    }
    TensorType output = {types[0].data_type, std::move(shape), types[0].quantization};
    if (rounding.has_value()) {
      if (!types[0].quantization.has_value()) {
        return InvalidNode(node, "input \"x\" is ", DataTypeName(data_type),
                           " without a quantization");
      }
      ASSIGN_OR_RETURN(output.quantization, QuantizationAttributes(node, "output_", data_type));
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const ReduceKind kind, KindAttribute(context.node));
    ASSIGN_OR_RETURN(std::vector<std::size_t> axes,
                     AxesAttribute(context.node, context.inputs[0].shape.size()));
    if (context.inputs[0].data_type == DataType::kFloat32) {
      if (kind == ReduceKind::kMean || kind == ReduceKind::kSum) {
        return MakeFloatSumStep(kind, axes);
      }
      return MakeStep("portable:reduce_f32",
                      [kind, axes = std::move(axes)](const StepArguments& arguments) {
                        ReduceFloat(kind, axes, arguments);
                      });
    }
    ASSIGN_OR_RETURN(const std::optional<kernels::FixedRounding> rounding,
                     FixedRoundingAttribute(context.node, context.inputs[0].data_type, kind));
    if (rounding.has_value()) {
      std::int64_t count = 1;  // known, and within kMostSummed
      for (const std::size_t axis : axes) count *= context.inputs[0].shape[axis].value();
      const TensorQuantization& from = *context.inputs[0].quantization;
      const TensorQuantization& to = *context.outputs[0].quantization;
      const kernels::FixedPointScale scale = FixedScale(kind, from, to, count, *rounding);
      if (context.inputs[0].data_type == DataType::kInt16) {
        return MakeFixedStep<std::int16_t>("portable:reduce_fixed_s16", axes, from, to, scale);
      }
      return MakeFixedStep<std::int8_t>("portable:reduce_fixed_s8", axes, from, to, scale);
    }
    if (context.inputs[0].data_type == DataType::kInt16) {
      return MakeIntegerStep<std::int16_t, std::int64_t, double>("portable:reduce_s16", kind, axes);
    }
    return MakeIntegerStep<std::int8_t, std::int32_t, float>("portable:reduce_s8", kind, axes);
  }
};

class ReduceAny final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "ReduceAny"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kBool}));
    ASSIGN_OR_RETURN(Shape shape, ReducedShape(node, types[0].shape));
    return OneOutput(node, {DataType::kBool, std::move(shape), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(std::vector<std::size_t> axes,
                     AxesAttribute(context.node, context.inputs[0].shape.size()));
    return MakeStep("portable:reduce_any",
                    [axes = std::move(axes)](const StepArguments& arguments) {
                      const TensorView& x = arguments.inputs[0];
                      const Extent extent = MakeExtent(x, axes);
                      auto* out = arguments.outputs[0].as<std::uint8_t>();
                      std::fill_n(out, extent.out_size, std::uint8_t{0});
                      Fold(x.dims, std::span(extent.kept).first(extent.rank), x.as<std::uint8_t>(),
                           out, [](std::uint8_t a, std::uint8_t b) {
                             return static_cast<std::uint8_t>((a | b) != 0 ? 1 : 0);
                           });
                    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeReduce() { return std::make_unique<const Reduce>(); }
std::unique_ptr<const Operator> MakeReduceAny() { return std::make_unique<const ReduceAny>(); }

}  // namespace octet
