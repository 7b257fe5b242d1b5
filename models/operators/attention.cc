// SPDX-License-Identifier: Apache-2.0

#include "models/operators/attention.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/broadcast.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

constexpr std::size_t kQuery = 0;
constexpr std::size_t kKey = 1;
constexpr std::size_t kValue = 2;
constexpr std::size_t kMask = 3;

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

// A token's heads lie behind each other.
constexpr std::size_t kRowRank = 2;

// The heads of one key in one image: the shape of all of them, but for the mask. Rows lie as
// `pitches` says.
kernels::AttentionShape MakeShape(const AttentionAttributes& attributes,
                                  std::span<const TensorView> inputs,
                                  const RowPitches& input_pitches = {},
                                  const RowPitches& output_pitches = {}) {
  const auto dim = [&inputs](std::size_t input, std::size_t axis) {
    return static_cast<std::size_t>(inputs[input].dims[axis]);
  };
  const auto pitch = [&](std::size_t input) {
    return static_cast<std::size_t>(input_pitches.At(input, inputs[input].dims, kRowRank));
  };
  const std::array out_dims = {inputs[kQuery].dims[2], inputs[kValue].dims[3]};
  kernels::AttentionShape shape;
  shape.heads = dim(kQuery, 2) / dim(kKey, 2);
  shape.queries = dim(kQuery, 1);
  shape.keys = dim(kKey, 1);
  shape.width = dim(kQuery, 3);
  shape.value_width = dim(kValue, 3);
  shape.query_head_stride = shape.width;
  shape.query_stride = pitch(kQuery);
  shape.key_stride = pitch(kKey);
  shape.value_stride = pitch(kValue);
  shape.out_head_stride = shape.value_width;
  shape.out_stride = static_cast<std::size_t>(output_pitches.At(0, out_dims, kRowRank));
  shape.scale = attributes.scale;
  shape.soft_cap = attributes.soft_cap;
  shape.is_causal = attributes.is_causal;
  shape.zero_masked_rows = attributes.has_zero_masked_rows;
  return shape;
}

// The mask of an image's heads from `head` on.
kernels::AttentionMask MakeMask(const TensorView& mask, std::size_t image, std::size_t head) {
  const auto dense = DenseStrides(mask.dims);
  const auto stride = [&](std::size_t axis) -> std::size_t {
    const std::size_t added = 4 - mask.dims.size();
    if (axis < added || mask.dims[axis - added] == 1) return 0;
    return static_cast<std::size_t>(dense[axis - added]);
  };
  return {.keep = mask.as<std::uint8_t>() + image * stride(0) + head * stride(1),
          .head_stride = stride(1),
          .query_stride = stride(2),
          .key_stride = stride(3)};
}

// How far from float32's the results of a reduced attention may be on the rows of a self-test, as a
// share of the largest: several times what was seen (docs/decisions/015-attention-precision.md).
constexpr double kReducedTolerance = 0.05;

class AttentionStep final : public Step {
 public:
  // `reduced` is null for float32.
  AttentionStep(const AttentionAttributes& attributes, bool has_mask,
                const kernels::KernelSet& kernels, const kernels::ReducedAttention* reduced)
      : attributes_(attributes),
        has_mask_(has_mask),
        kernel_name_(
            absl::StrCat(std::string(kernels.name), ":",
                         std::string(reduced != nullptr ? reduced->name : "attention_f32"))),
        reduced_tolerance_(reduced != nullptr ? kReducedTolerance : 0),
        attention_(reduced != nullptr ? reduced->run : kernels.attention_f32),
        scratch_byte_size_(reduced != nullptr ? reduced->scratch_byte_size
                                              : kernels.attention_f32_scratch_byte_size) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    return scratch_byte_size_(MakeShape(attributes_, inputs));
  }
  [[nodiscard]] std::size_t InputRowRank(std::size_t index) const override {
    return index == kMask ? 0 : kRowRank;
  }
  [[nodiscard]] std::size_t OutputRowRank(std::size_t) const override { return kRowRank; }
  [[nodiscard]] std::string kernel_name() const override { return kernel_name_; }
  [[nodiscard]] double reduced_tolerance() const override { return reduced_tolerance_; }

  void Run(const StepArguments& arguments) const override {
    const TensorView& query = arguments.inputs[kQuery];
    kernels::AttentionShape shape =
        MakeShape(attributes_, arguments.inputs, arguments.input_pitches, arguments.output_pitches);
    const auto images = static_cast<std::size_t>(query.dims[0]);
    const auto groups = static_cast<std::size_t>(arguments.inputs[kKey].dims[2]);
    for (std::size_t image = 0; image < images; ++image) {
      const std::size_t first_query = image * shape.queries;
      const std::size_t first_key = image * shape.keys;
      for (std::size_t group = 0; group < groups; ++group) {
        const std::size_t head = group * shape.heads;
        if (has_mask_) shape.mask = MakeMask(arguments.inputs[kMask], image, head);
        attention_(
            shape, query.as<float>() + first_query * shape.query_stride + head * shape.width,
            arguments.inputs[kKey].as<float>() + first_key * shape.key_stride + group * shape.width,
            arguments.inputs[kValue].as<float>() + first_key * shape.value_stride +
                group * shape.value_width,
            arguments.outputs[0].as<float>() + first_query * shape.out_stride +
                head * shape.value_width,
            arguments.scratch);
      }
    }
  }

 private:
  const AttentionAttributes attributes_;
  const bool has_mask_;
  const std::string kernel_name_;
  const double reduced_tolerance_;
  const kernels::AttentionF32 attention_;
  const kernels::AttentionF32ScratchByteSize scratch_byte_size_;
};

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

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    const auto keys = static_cast<double>(inputs[kKey][1]);
    const auto width = static_cast<double>(inputs[kQuery][3] + inputs[kValue][3]);
    return {.count = ElementCount(std::span(inputs[kQuery]).first(3)) * keys * width};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const AttentionAttributes attributes, Attributes(context.node));
    const kernels::KernelSet& kernels = context.kernels;
    const kernels::ReducedAttention* const reduced =
        context.allows_reduced_attention ? kernels.reduced_attention() : nullptr;
    return std::make_unique<const AttentionStep>(attributes, context.node.HasInput(kMask), kernels,
                                                 reduced);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeAttention() { return std::make_unique<const Attention>(); }

}  // namespace octet
