// SPDX-License-Identifier: Apache-2.0

#include "models/operators/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

constexpr std::size_t kQuery = 0;
constexpr std::size_t kKey = 1;
constexpr std::size_t kValue = 2;
constexpr std::size_t kMask = 3;

// Query positions whose scores are in memory at once.
constexpr std::size_t kBlock = 64;
// What Keras puts in place of an excluded score. Finite, so that a row of nothing else becomes
// uniform, as there.
constexpr float kExcluded = -0.7F * std::numeric_limits<float>::max();

struct AttentionAttributes {
  float scale = 1.0F;
  float soft_cap = 0.0F;
  bool is_causal = false;
  bool has_zero_masked_rows = false;
};

absl::StatusOr<AttentionAttributes> Attributes(const Node& node) {
  AttentionAttributes attributes;
  ASSIGN_OR_RETURN(attributes.scale, FloatAttribute(node, "scale", 1.0));
  ASSIGN_OR_RETURN(attributes.soft_cap, FloatAttribute(node, "soft_cap", 0.0));
  ASSIGN_OR_RETURN(attributes.is_causal, FlagAttribute(node, "causal", false));
  ASSIGN_OR_RETURN(attributes.has_zero_masked_rows, FlagAttribute(node, "zero_masked_rows", false));
  if (attributes.soft_cap < 0.0F) {
    return InvalidNode(node, "attribute \"soft_cap\" is ", attributes.soft_cap,
                       ", wants 0 or more");
  }
  return attributes;
}

struct Sizes {
  std::size_t queries;      // T
  std::size_t keys;         // S
  std::size_t heads;        // h
  std::size_t groups;       // g
  std::size_t width;        // d
  std::size_t value_width;  // e
};

Sizes MakeSizes(std::span<const TensorView> inputs) {
  const auto dim = [&inputs](std::size_t input, std::size_t axis) {
    return static_cast<std::size_t>(inputs[input].dims[axis]);
  };
  return {.queries = dim(kQuery, 1),
          .keys = dim(kKey, 1),
          .heads = dim(kQuery, 2),
          .groups = dim(kKey, 2),
          .width = dim(kQuery, 3),
          .value_width = dim(kValue, 3)};
}

kernels::BatchedMatmulF32Shape ScoreShape(const Sizes& sizes, std::size_t rows) {
  kernels::BatchedMatmulF32Shape shape;
  shape.m = rows;
  shape.n = sizes.keys;
  shape.k = sizes.width;
  shape.lhs_row_stride = sizes.heads * sizes.width;
  shape.rhs_row_stride = 1;
  shape.rhs_column_stride = sizes.groups * sizes.width;
  shape.out_row_stride = sizes.keys;
  return shape;
}

kernels::BatchedMatmulF32Shape ContextShape(const Sizes& sizes, std::size_t rows) {
  kernels::BatchedMatmulF32Shape shape;
  shape.m = rows;
  shape.n = sizes.value_width;
  shape.k = sizes.keys;
  shape.lhs_row_stride = sizes.keys;
  shape.rhs_row_stride = sizes.groups * sizes.value_width;
  shape.out_row_stride = sizes.heads * sizes.value_width;
  return shape;
}

// The mask of one image and head.
struct MaskView {
  const std::uint8_t* data = nullptr;  // null: nothing is excluded
  std::int64_t query_stride = 0;
  std::int64_t key_stride = 0;
};

MaskView MakeMask(const TensorView& mask, std::size_t image, std::size_t head) {
  if (mask.data == nullptr) return {};
  const auto dense = DenseStrides(mask.dims);
  const auto stride = [&](std::size_t axis) -> std::int64_t {
    const std::size_t added = 4 - mask.dims.size();
    if (axis < added || mask.dims[axis - added] == 1) return 0;
    return dense[axis - added];
  };
  return {.data = mask.as<std::uint8_t>() + static_cast<std::int64_t>(image) * stride(0) +
                  static_cast<std::int64_t>(head) * stride(1),
          .query_stride = stride(2),
          .key_stride = stride(3)};
}

// Puts `value` at each key that a query position, from `first` on, must not attend to.
void SetExcluded(bool is_causal, const MaskView& mask, std::size_t first, std::size_t keys,
                 float value, std::span<float> scores) {
  for (std::size_t row = 0; row * keys < scores.size(); ++row) {
    const std::span<float> line = scores.subspan(row * keys, keys);
    if (mask.data != nullptr) {
      const std::uint8_t* keep =
          mask.data + static_cast<std::int64_t>(first + row) * mask.query_stride;
      for (std::size_t s = 0; s < keys; ++s) {
        if (keep[static_cast<std::int64_t>(s) * mask.key_stride] == 0) line[s] = value;
      }
    }
    if (is_causal && first + row + 1 < keys) {
      std::fill(line.begin() + static_cast<std::ptrdiff_t>(first + row + 1), line.end(), value);
    }
  }
}

// Scales, caps and masks the scores of query positions from `first` on.
void FinishScores(const kernels::KernelSet& kernels, const AttentionAttributes& attributes,
                  const MaskView& mask, std::size_t first, std::size_t keys,
                  std::span<float> scores) {
  for (float& score : scores) score *= attributes.scale;
  if (attributes.soft_cap > 0.0F) {
    for (float& score : scores) score /= attributes.soft_cap;
    kernels.activation_f32({.kind = kernels::ActivationKind::kTanh}, scores, scores);
    for (float& score : scores) score *= attributes.soft_cap;
  }
  SetExcluded(attributes.is_causal, mask, first, keys, kExcluded, scores);
}

class Attention final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Attention"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(3, 4));
    constexpr std::array<absl::string_view, 3> kNames = {"query", "key", "value"};
    for (std::size_t i = kQuery; i <= kValue; ++i) {
      RETURN_IF_ERROR(inputs.CheckDataType(i, kNames[i], {DataType::kFloat32}));
      RETURN_IF_ERROR(inputs.CheckRank(i, kNames[i], 4, 4));
    }
    RETURN_IF_ERROR(Attributes(node).status());
    const Shape& query = types[kQuery].shape;
    const Shape& key = types[kKey].shape;
    const Shape& value = types[kValue].shape;
    for (const Shape* shape : {&query, &key, &value}) {
      for (const std::size_t axis : {2U, 3U}) {
        if (!(*shape)[axis].is_constant() || (*shape)[axis].value() < 1) {
          return InvalidNode(node, "shape ", ToString(*shape, {}),
                             ", wants heads and widths of at least 1");
        }
      }
    }
    if (key[0] != query[0] || value[0] != query[0] || key[1] != value[1] || key[2] != value[2] ||
        key[3] != query[3] || query[2].value() % key[2].value() != 0) {
      return InvalidNode(node, "query ", ToString(query, {}), ", key ", ToString(key, {}),
                         " and value ", ToString(value, {}), " do not fit together");
    }
    if (key[1] == Dim(0)) return InvalidNode(node, "no key to attend to");
    if (inputs.Has(kMask)) {
      RETURN_IF_ERROR(inputs.CheckDataType(kMask, "mask", {DataType::kBool}));
      RETURN_IF_ERROR(CheckBroadcastsTo(node, "mask", types[kMask].shape,
                                        {query[0], query[2], query[1], key[1]}));
    }
    return OneOutput(node,
                     {DataType::kFloat32, {query[0], query[1], query[2], value[3]}, std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const AttentionAttributes attributes, Attributes(context.node));
    const kernels::KernelSet& kernels = context.kernels;
    const bool has_mask = context.node.HasInput(kMask);
    return MakeStepWithScratch(
        absl::StrCat(std::string(kernels.name), ":attention_f32"),
        [attributes, has_mask, &kernels](const StepArguments& arguments) {
          Run(attributes, has_mask, kernels, arguments);
        },
        [&kernels](std::span<const TensorView> inputs) -> std::size_t {
          const Sizes sizes = MakeSizes(inputs);
          ScratchLayout layout;
          layout.Take<float>(std::min(kBlock, sizes.queries) * sizes.keys);
          layout.Take<std::byte>(MatmulScratch(kernels, sizes));
          return layout.byte_size();
        });
  }

 private:
  // The most that any block needs; the last one may have fewer rows.
  static std::size_t MatmulScratch(const kernels::KernelSet& kernels, const Sizes& sizes) {
    std::size_t most = 0;
    for (const std::size_t rows : {std::min(kBlock, sizes.queries), sizes.queries % kBlock}) {
      most = std::max({most, kernels.batched_matmul_f32_scratch_byte_size(ScoreShape(sizes, rows)),
                       kernels.batched_matmul_f32_scratch_byte_size(ContextShape(sizes, rows))});
    }
    return most;
  }

  static void Run(const AttentionAttributes& attributes, bool has_mask,
                  const kernels::KernelSet& kernels, const StepArguments& arguments) {
    const Sizes sizes = MakeSizes(arguments.inputs);
    const auto images = static_cast<std::size_t>(arguments.inputs[kQuery].dims[0]);
    const auto elements = [&arguments](std::size_t input) {
      const TensorView& view = arguments.inputs[input];
      return std::span(view.as<float>(), static_cast<std::size_t>(NumElements(view.dims)));
    };
    const std::span<const float> query = elements(kQuery);
    const std::span<const float> key = elements(kKey);
    const std::span<const float> value = elements(kValue);
    const std::span<float> out(arguments.outputs[0].as<float>(),
                               images * sizes.queries * sizes.heads * sizes.value_width);
    ScratchLayout layout(arguments.scratch);
    const std::span<float> buffer =
        layout.Take<float>(std::min(kBlock, sizes.queries) * sizes.keys);
    const std::span<std::byte> scratch = layout.Take<std::byte>(MatmulScratch(kernels, sizes));
    for (std::size_t image = 0; image < images; ++image) {
      for (std::size_t head = 0; head < sizes.heads; ++head) {
        const std::size_t group = head / (sizes.heads / sizes.groups);
        const MaskView mask =
            has_mask ? MakeMask(arguments.inputs[kMask], image, head) : MaskView{};
        const std::size_t key_at = (image * sizes.keys * sizes.groups + group) * sizes.width;
        const std::size_t value_at =
            (image * sizes.keys * sizes.groups + group) * sizes.value_width;
        for (std::size_t first = 0; first < sizes.queries; first += kBlock) {
          const std::size_t rows = std::min(kBlock, sizes.queries - first);
          const std::size_t row_at = (image * sizes.queries + first) * sizes.heads + head;
          const std::span<float> scores = buffer.first(rows * sizes.keys);
          kernels.batched_matmul_f32(ScoreShape(sizes, rows), query.subspan(row_at * sizes.width),
                                     key.subspan(key_at), scores, scratch);
          FinishScores(kernels, attributes, mask, first, sizes.keys, scores);
          kernels.softmax_f32(kernels::SoftmaxKind::kSoftmax,
                              {.num_rows = rows, .row_size = sizes.keys}, scores, scores);
          if (attributes.has_zero_masked_rows) {
            SetExcluded(attributes.is_causal, mask, first, sizes.keys, 0.0F, scores);
          }
          kernels.batched_matmul_f32(ContextShape(sizes, rows), scores, value.subspan(value_at),
                                     out.subspan(row_at * sizes.value_width), scratch);
        }
      }
    }
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeAttention() { return std::make_unique<const Attention>(); }

}  // namespace octet
