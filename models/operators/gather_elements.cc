// SPDX-License-Identifier: Apache-2.0

#include "models/operators/gather_elements.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

constexpr std::size_t kData = 0;
constexpr std::size_t kIndices = 1;

// Negative ones count from the end; one outside is clamped, as Gather clamps it.
std::int64_t PlaceOf(const TensorView& indices, std::int64_t at, std::int64_t length) {
  std::int64_t index = indices.data_type == DataType::kInt32 ? indices.as<std::int32_t>()[at]
                                                             : indices.as<std::int64_t>()[at];
  if (index < 0) index = std::max(index, -length) + length;
  return std::clamp<std::int64_t>(index, 0, length - 1);
}

// Indices of one row serve every row.
void Run(std::size_t axis, std::size_t element_size, const StepArguments& arguments) {
  const TensorView& data = arguments.inputs[kData];
  const TensorView& indices = arguments.inputs[kIndices];
  const std::size_t rank = data.dims.size();
  // How far it is from one index of an axis to the next.
  std::array<std::int64_t, kMaxRank> strides{};
  std::int64_t stride = 1;
  for (std::size_t d = rank; d-- > 0;) {
    strides[d] = stride;
    stride *= data.dims[d];
  }
  std::array<std::int64_t, kMaxRank> place{};
  const auto* const from = data.as<std::byte>();
  auto* const out = arguments.outputs[0].as<std::byte>();
  const std::span<const std::int64_t> dims = arguments.outputs[0].dims;
  const std::int64_t count = NumElements(dims);
  const std::int64_t num_indices = NumElements(indices.dims);
  if (data.dims[axis] < 1) {  // there is nothing to gather
    std::memset(out, 0, static_cast<std::size_t>(count) * element_size);
    return;
  }
  std::int64_t offset = 0;  // of `place` in the data, but for the axis
  std::int64_t index = 0;
  for (std::int64_t at = 0; at < count; ++at) {
    const std::int64_t found = offset + PlaceOf(indices, index, data.dims[axis]) * strides[axis];
    if (++index == num_indices) index = 0;
    std::memcpy(out + static_cast<std::size_t>(at) * element_size,
                from + static_cast<std::size_t>(found) * element_size, element_size);
    for (std::size_t d = rank; d-- > 0;) {
      const std::int64_t step = d == axis ? 0 : strides[d];
      offset += step;
      if (++place[d] < dims[d]) break;
      offset -= step * dims[d];
      place[d] = 0;
    }
  }
}

class GatherElements final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "GatherElements"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    RETURN_IF_ERROR(inputs.CheckRank(kData, "x", 2));
    RETURN_IF_ERROR(
        inputs.CheckDataType(kIndices, "indices", {DataType::kInt32, DataType::kInt64}));
    if (inputs.rank(kIndices) != inputs.rank(kData)) {
      return InvalidNode(node, "indices of ", inputs.rank(kIndices), " dimensions for x of ",
                         inputs.rank(kData));
    }
    ASSIGN_OR_RETURN(const std::size_t axis, AxisAttribute(node, "axis", inputs.rank(kData), 1));
    const Shape& data = inputs.shape(kData);
    Shape shape = inputs.shape(kIndices);
    if (inputs.constant(kIndices) != nullptr && shape[0] == Dim(1)) shape[0] = data[0];
    if (data[axis] == Dim(0)) return InvalidNode(node, "an axis without elements");
    for (std::size_t d = 0; d < data.size(); ++d) {
      const bool fits = data[d] == shape[d] || (data[d].is_constant() && shape[d].is_constant() &&
                                                shape[d].value() <= data[d].value());
      if (d != axis && !fits) {
        return InvalidNode(node, "indices that are longer than x along axis ", d);
      }
    }
    return OneOutput(node, {types[kData].data_type, std::move(shape), types[kData].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const TensorType& data = context.inputs[kData];
    ASSIGN_OR_RETURN(const std::size_t axis,
                     AxisAttribute(context.node, "axis", data.shape.size(), 1));
    const std::size_t element_size = BitWidth(data.data_type) / 8;
    if (element_size == 0) return InvalidNode(context.node, "elements of less than a byte");
    return MakeStep("portable:gather_elements",
                    [axis, element_size](const StepArguments& arguments) {
                      Run(axis, element_size, arguments);
                    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeGatherElements() {
  return std::make_unique<const GatherElements>();
}

}  // namespace octet
