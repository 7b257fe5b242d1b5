// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/block_weights.h"

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;

struct Form {
  std::int64_t k = 0;
  std::int64_t n = 0;
  std::int64_t bits = 4;
  std::int64_t block = 0;

  [[nodiscard]] std::int64_t num_blocks() const { return (k + block - 1) / block; }
};

absl::StatusOr<Form> FormOf(NodeCall& call) {
  Form form;
  ASSIGN_OR_RETURN(form.k, call.Int("K", 0));
  ASSIGN_OR_RETURN(form.n, call.Int("N", 0));
  ASSIGN_OR_RETURN(form.bits, call.Int("bits", 4));
  ASSIGN_OR_RETURN(form.block, call.Int("block_size", 0));
  // The least precision that the activations may have; they are float32 whatever it says.
  call.Ignore("accuracy_level");
  ASSIGN_OR_RETURN(const std::int64_t is_packed, call.Int("weight_prepacked", 0));
  if (is_packed != 0) return call.Unimplemented("weights that are packed for some hardware");
  if (form.bits != 4 && form.bits != 8) {
    return call.Unimplemented(absl::StrCat("weights of ", form.bits, " bits, wants 4 or 8"));
  }
  if (form.k < 1 || form.n < 1 || form.k >= kMaxSize || form.n >= kMaxSize || form.block < 2 ||
      form.block > 1 << 20 || form.block % 2 != 0) {
    return call.Invalid(
        absl::StrCat("K is ", form.k, ", N ", form.n, " and block_size ", form.block));
  }
  return form;
}

// `count` numbers of `bits` bits, the low ones first, from `bytes` on.
void Unpack(const std::byte* bytes, std::int64_t count, std::int64_t bits, std::uint8_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto byte = std::to_integer<std::uint8_t>(bytes[bits == 4 ? i / 2 : i]);
    out[i] = bits == 8 ? byte : static_cast<std::uint8_t>(i % 2 == 0 ? byte & 0xF : byte >> 4);
  }
}

struct BlockWeights {
  std::vector<std::uint8_t> values;       // [n, k]
  std::vector<float> scales;              // [n, blocks]
  std::vector<std::uint8_t> zero_points;  // [n, blocks]
};

absl::Status ReadZeroPoints(NodeCall& call, const Form& form, BlockWeights& weights) {
  const std::int64_t blocks = form.num_blocks();
  weights.zero_points.assign(weights.scales.size(),
                             static_cast<std::uint8_t>(1 << (form.bits - 1)));
  if (!call.Has(3)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ConstantTensor given, call.Constant(3, "zero points"));
  const std::int64_t row = form.bits == 4 ? (blocks + 1) / 2 : blocks;
  if (given.data_type() != DataType::kUint8 || NumElements(given.dims()) != form.n * row) {
    return call.Unimplemented(absl::StrCat("zero points of ", DataTypeName(given.data_type()),
                                           ToString(given.dims()), ", wants UINT8[", form.n, ", ",
                                           row, "]"));
  }
  for (std::int64_t i = 0; i < form.n; ++i) {
    Unpack(given.bytes().data() + i * row, blocks, form.bits,
           weights.zero_points.data() + i * blocks);
  }
  return absl::OkStatus();
}

// The graph's scales are above 0. With a negative one all integers of the block are mirrored; with
// 0 they stand at the zero point.
absl::Status MakeScalesPositive(const NodeCall& call, const Form& form, BlockWeights& weights) {
  const std::int64_t blocks = form.num_blocks();
  const auto most = static_cast<std::uint8_t>((1 << form.bits) - 1);
  for (std::size_t at = 0; at < weights.scales.size(); ++at) {
    float& scale = weights.scales[at];
    if (!std::isfinite(scale)) return call.Invalid("a scale that is not finite");
    if (scale > 0.0F) continue;
    const std::int64_t row = static_cast<std::int64_t>(at) / blocks;
    const std::int64_t first = static_cast<std::int64_t>(at) % blocks * form.block;
    const std::int64_t end = std::min(first + form.block, form.k);
    std::uint8_t& zero = weights.zero_points[at];
    const bool is_zero = scale == 0.0F;
    for (std::int64_t p = first; p < end; ++p) {
      std::uint8_t& value = weights.values[static_cast<std::size_t>(row * form.k + p)];
      value = is_zero ? zero : static_cast<std::uint8_t>(most - value);
    }
    if (!is_zero) zero = static_cast<std::uint8_t>(most - zero);
    scale = is_zero ? 1.0F : -scale;
  }
  return absl::OkStatus();
}

absl::StatusOr<BlockWeights> ReadWeights(NodeCall& call, const Form& form) {
  ASSIGN_OR_RETURN(const ConstantTensor integers, call.Constant(1, "weights"));
  ASSIGN_OR_RETURN(const ConstantTensor scales, call.FloatConstant(2, "scales"));
  const std::int64_t blocks = form.num_blocks();
  const std::int64_t row = blocks * form.block * form.bits / 8;
  if (integers.data_type() != DataType::kUint8 || NumElements(integers.dims()) != form.n * row ||
      NumElements(scales.dims()) != form.n * blocks) {
    return call.Invalid(absl::StrCat(
        "its weights are ", DataTypeName(integers.data_type()), ToString(integers.dims()),
        " and its scales ", ToString(scales.dims()), ", wants UINT8[", form.n, ", ", blocks, ", ",
        form.block * form.bits / 8, "] and [", form.n, ", ", blocks, "]"));
  }
  RETURN_IF_ERROR(ReserveConstant(call, {form.n, form.k}));
  BlockWeights weights;
  weights.scales = FloatElements(scales);
  weights.values.resize(static_cast<std::size_t>(form.n * form.k));
  for (std::int64_t i = 0; i < form.n; ++i) {
    Unpack(integers.bytes().data() + i * row, form.k, form.bits,
           weights.values.data() + i * form.k);
  }
  RETURN_IF_ERROR(ReadZeroPoints(call, form, weights));
  RETURN_IF_ERROR(MakeScalesPositive(call, form, weights));
  return weights;
}

// [n, k] as the graph stores it: two values of 4 bits a byte, the last one of a row alone.
ConstantTensor StoredWeights(const Form& form, const std::vector<std::uint8_t>& values) {
  if (form.bits == 8) return ConstantTensor::Copy(DataType::kUint8, {form.n, form.k}, values);
  const std::int64_t row = (form.k + 1) / 2;
  std::vector<std::byte> packed(static_cast<std::size_t>(form.n * row), std::byte{0});
  for (std::int64_t i = 0; i < form.n; ++i) {
    for (std::int64_t p = 0; p < form.k; ++p) {
      const unsigned value = values[static_cast<std::size_t>(i * form.k + p)];
      packed[static_cast<std::size_t>(i * row + p / 2)] |=
          static_cast<std::byte>(p % 2 == 0 ? value : value << 4);
    }
  }
  return ConstantTensor::Copy(DataType::kUint4, {form.n, form.k},
                              std::span<const std::byte>(packed));
}

}  // namespace

absl::StatusOr<Operand> BlockProduct(NodeCall& call, Activation& x) {
  ASSIGN_OR_RETURN(const Form form, FormOf(call));
  if (call.Has(4)) return call.Unimplemented("a group index");
  ASSIGN_OR_RETURN(const BlockWeights weights, ReadWeights(call, form));
  ASSIGN_OR_RETURN(const auto from, call.FormWithLastAxis(x));
  const auto add = [&call](absl::string_view what, ConstantTensor tensor) {
    return call.AddConstant(absl::StrCat(call.name(), "/", what), std::move(tensor));
  };
  const Dims dims = {form.n, form.num_blocks()};
  std::vector<ValueId> inputs = {
      from.second, add("kernel", StoredWeights(form, weights.values)),
      add("kernel_scale", ConstantTensor::Copy(DataType::kFloat32, dims, weights.scales)),
      add("kernel_zero_point", ConstantTensor::Copy(DataType::kUint8, dims, weights.zero_points))};
  if (call.Has(5)) {
    ASSIGN_OR_RETURN(const ConstantTensor bias, call.FloatConstant(5, "bias"));
    if (NumElements(bias.dims()) != form.n) return call.Invalid("its bias is not of N elements");
    inputs.push_back(add("bias", WithDims(bias, {form.n})));
  }
  ASSIGN_OR_RETURN(const ValueId id, call.Emit("FullyConnected", std::move(inputs),
                                               {{"transpose_weight", std::int64_t{1}},
                                                {"group_size", form.block},
                                                {"scale_convention", std::string("multiply")}}));
  return call.Result(id, from.first);
}

}  // namespace octet::onnx
