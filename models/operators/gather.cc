// SPDX-License-Identifier: Apache-2.0

#include "models/operators/gather.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

constexpr std::size_t kIndices = 0;
constexpr std::size_t kTable = 1;
constexpr std::size_t kScale = 2;
constexpr std::size_t kZeroPoint = 3;
constexpr std::size_t kGroupIndex = 4;

// What indices below 0 stand for.
enum class Negative { kFirstRow, kFromEnd };

absl::StatusOr<Negative> NegativeAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const bool is_from_end, FlagAttribute(node, "negative_from_end", false));
  return is_from_end ? Negative::kFromEnd : Negative::kFirstRow;
}

// `index` as a row of a table of `rows`, clamped.
std::int64_t RowOf(std::int64_t index, std::int64_t rows, Negative negative) {
  if (negative == Negative::kFromEnd && index < 0) index = std::max(index, -rows) + rows;
  return std::clamp<std::int64_t>(index, 0, rows - 1);
}

// `indices` [at] as a row of a table of `rows`; NaN is row 0, as are negative float32 indices.
std::int64_t RowAt(const TensorView& indices, std::int64_t at, std::int64_t rows,
                   Negative negative) {
  switch (indices.data_type) {
    case DataType::kInt32:
      return RowOf(indices.as<std::int32_t>()[at], rows, negative);
    case DataType::kInt64:
      return RowOf(indices.as<std::int64_t>()[at], rows, negative);
    default: {
      const float index = indices.as<float>()[at];
      if (!(index > 0.0F)) return 0;
      if (index >= static_cast<float>(rows)) return rows - 1;
      return std::min(static_cast<std::int64_t>(index), rows - 1);
    }
  }
}

// An integer table and how its rows become float32.
struct QuantizedTable {
  ConstantTensor table;
  std::vector<std::int8_t> unpacked;  // int4 that is not packed along the last axis
  std::int64_t width = 0;
  std::vector<float> scale;              // [v, groups]
  std::vector<std::int32_t> zero_point;  // as scale, or empty
  std::vector<std::size_t> group;        // of each column; empty: one group
  std::size_t num_groups = 1;
  kernels::ScaleConvention convention = kernels::ScaleConvention::kReciprocal;

  void Row(std::int64_t row, float* out) const {
    const auto first = static_cast<std::size_t>(row) * num_groups;
    for (std::int64_t d = 0; d < width; ++d) {
      const std::size_t at = first + (group.empty() ? 0 : group[static_cast<std::size_t>(d)]);
      const std::int32_t offset = zero_point.empty() ? 0 : zero_point[at];
      const auto value = static_cast<float>(Value(row, d) - offset);
      out[d] = convention == kernels::ScaleConvention::kReciprocal ? value / scale[at]
                                                                   : value * scale[at];
    }
  }

 private:
  [[nodiscard]] std::int32_t Value(std::int64_t row, std::int64_t column) const {
    if (!unpacked.empty()) return unpacked[static_cast<std::size_t>(row * width + column)];
    const std::span<const std::byte> bytes = table.bytes();
    if (table.data_type() == DataType::kInt8) {
      return static_cast<std::int8_t>(bytes[static_cast<std::size_t>(row * width + column)]);
    }
    const std::int64_t row_bytes = (width + 1) / 2;
    const auto byte = std::to_integer<std::int32_t>(
        bytes[static_cast<std::size_t>(row * row_bytes + column / 2)]);
    const std::int32_t nibble = column % 2 == 0 ? byte & 0xF : byte >> 4;
    return (nibble ^ 8) - 8;
  }
};

std::vector<float> GroupElements(const ConstantTensor& constant) {
  if (constant.data_type() == DataType::kFloat32) return FloatElements(constant);
  std::vector<float> groups;
  for (const std::int32_t group : Int32Elements(constant)) {
    groups.push_back(static_cast<float>(group));
  }
  return groups;
}

absl::Status CheckScales(const Node& node, const NodeInputs& inputs) {
  const bool is_quantized = inputs.type(kTable).data_type != DataType::kFloat32;
  if (is_quantized != inputs.Has(kScale)) {
    return InvalidNode(node, is_quantized ? "an integer table without a \"table_scale\""
                                          : "a float32 table with a \"table_scale\"");
  }
  const Dims& table = inputs.constant(kTable)->dims();
  ASSIGN_OR_RETURN(const std::int64_t group_size, IntAttribute(node, "group_size", 0, 0));
  if (!is_quantized) {
    if (group_size != 0 || inputs.Has(kZeroPoint) || inputs.Has(kGroupIndex)) {
      return InvalidNode(node, "a float32 table with groups or zero points");
    }
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(ScaleConventionAttribute(node).status());
  const std::int64_t groups = group_size == 0 ? 1 : (table[1] + group_size - 1) / group_size;
  const Dims scale_dims = group_size == 0 ? Dims{table[0]} : Dims{table[0], groups};
  RETURN_IF_ERROR(inputs.CheckScale(kScale, "table_scale", scale_dims));
  if (inputs.Has(kZeroPoint)) {
    RETURN_IF_ERROR(
        inputs.CheckDataType(kZeroPoint, "table_zero_point", {DataType::kInt8, DataType::kUint8}));
    RETURN_IF_ERROR(inputs.CheckConstant(kZeroPoint, "table_zero_point",
                                         inputs.type(kZeroPoint).data_type, scale_dims));
  }
  if (!inputs.Has(kGroupIndex)) return absl::OkStatus();
  if (group_size == 0) {
    return InvalidNode(node, "got a \"group_index\" without the attribute \"group_size\"");
  }
  RETURN_IF_ERROR(
      inputs.CheckDataType(kGroupIndex, "group_index", {DataType::kFloat32, DataType::kInt32}));
  RETURN_IF_ERROR(inputs.CheckConstant(kGroupIndex, "group_index",
                                       inputs.type(kGroupIndex).data_type, std::array{table[1]}));
  for (const float group : GroupElements(*inputs.constant(kGroupIndex))) {
    if (!(group >= 0.0F && group < static_cast<float>(groups)) || group != std::floor(group)) {
      return InvalidNode(node, "\"group_index\" holds ", group, ", wants whole numbers from 0 to ",
                         groups - 1);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<QuantizedTable> MakeTable(const PrepareContext& context) {
  const auto constant = [&context](std::size_t index) -> const ConstantTensor* {
    return context.node.HasInput(index) ? context.constants[index] : nullptr;
  };
  QuantizedTable result;
  result.table = *constant(kTable);
  result.width = result.table.dims()[1];
  const bool is_packed_elsewhere =
      result.table.data_type() == DataType::kInt4 && result.table.packed_axis() == 0;
  if (is_packed_elsewhere) result.unpacked = UnpackWeights(result.table);
  result.scale = FloatElements(*constant(kScale));
  ASSIGN_OR_RETURN(result.convention, ScaleConventionAttribute(context.node));
  if (const ConstantTensor* zero_point = constant(kZeroPoint)) {
    result.zero_point = ByteElements(*zero_point);
  }
  ASSIGN_OR_RETURN(const std::int64_t group_size, IntAttribute(context.node, "group_size", 0, 0));
  if (group_size == 0) return result;
  result.num_groups = static_cast<std::size_t>((result.width + group_size - 1) / group_size);
  if (const ConstantTensor* group_index = constant(kGroupIndex)) {
    for (const float group : GroupElements(*group_index)) {
      result.group.push_back(static_cast<std::size_t>(group));
    }
  } else {
    for (std::int64_t d = 0; d < result.width; ++d) {
      result.group.push_back(static_cast<std::size_t>(d / group_size));
    }
  }
  return result;
}

class Gather final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Gather"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 5));
    RETURN_IF_ERROR(inputs.CheckRank(kIndices, "indices", 1, kMaxRank - 1));
    RETURN_IF_ERROR(inputs.CheckDataType(kIndices, "indices",
                                         {DataType::kInt32, DataType::kInt64, DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckDataType(kTable, "table",
                                         {DataType::kFloat32, DataType::kInt8, DataType::kInt4}));
    RETURN_IF_ERROR(inputs.CheckConstant(kTable, "table"));
    RETURN_IF_ERROR(inputs.CheckRank(kTable, "table", 2, 2));
    const Dims& table = inputs.constant(kTable)->dims();
    if (table[0] < 1 || table[1] < 1) {
      return InvalidNode(node, "input \"table\" has shape ", ToString(table),
                         ", wants dimensions of at least 1");
    }
    RETURN_IF_ERROR(CheckScales(node, inputs));
    RETURN_IF_ERROR(NegativeAttribute(node).status());
    Shape shape = types[kIndices].shape;
    shape.push_back(Dim(table[1]));
    return OneOutput(node, {DataType::kFloat32, std::move(shape), std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const Negative negative, NegativeAttribute(context.node));
    if (context.inputs[kTable].data_type == DataType::kFloat32) {
      return MakeStep("portable:gather_f32", [table = *context.constants[kTable],
                                              negative](const StepArguments& arguments) {
        const std::int64_t rows = table.dims()[0];
        const auto row_bytes = static_cast<std::size_t>(table.dims()[1]) * sizeof(float);
        const TensorView& indices = arguments.inputs[kIndices];
        const std::int64_t count = NumElements(indices.dims);
        auto* out = arguments.outputs[0].as<std::byte>();
        for (std::int64_t i = 0; i < count; ++i) {
          const auto row = static_cast<std::size_t>(RowAt(indices, i, rows, negative));
          std::memcpy(out, table.bytes().data() + row * row_bytes, row_bytes);
          out += row_bytes;
        }
      });
    }
    ASSIGN_OR_RETURN(QuantizedTable table, MakeTable(context));
    const std::size_t byte_size = table.unpacked.size() + table.scale.size() * sizeof(float);
    return MakeStep(
        "portable:gather_quantized",
        [table = std::move(table), negative](const StepArguments& arguments) {
          const TensorView& indices = arguments.inputs[kIndices];
          const std::int64_t count = NumElements(indices.dims);
          float* out = arguments.outputs[0].as<float>();
          for (std::int64_t i = 0; i < count; ++i) {
            table.Row(RowAt(indices, i, table.table.dims()[0], negative), out + i * table.width);
          }
        },
        byte_size);
  }

  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return true;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeGather() { return std::make_unique<const Gather>(); }

}  // namespace octet
