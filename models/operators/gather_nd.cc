// SPDX-License-Identifier: Apache-2.0

#include "models/operators/gather_nd.h"

#include <algorithm>
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

// A constant's elements may lie unaligned.
template <typename T>
std::int64_t Load(const TensorView& tensor, std::int64_t at) {
  T element;
  std::memcpy(&element, tensor.as<std::byte>() + static_cast<std::size_t>(at) * sizeof(T),
              sizeof(T));
  return element;
}

std::int64_t IndexAt(const TensorView& indices, std::int64_t at) {
  return indices.data_type == DataType::kInt32 ? Load<std::int32_t>(indices, at)
                                               : Load<std::int64_t>(indices, at);
}

// Negative ones count from the end; one outside is clamped, as Gather clamps it.
std::int64_t PlaceOf(std::int64_t index, std::int64_t length) {
  if (index < 0) index = std::max(index, -length) + length;
  return std::clamp<std::int64_t>(index, 0, length - 1);
}

// Which axes of x are what.
struct Axes {
  std::size_t batch_dims = 1;  // so many are the indices' as well
  std::size_t depth = 1;       // behind them, so many are looked up in
};

// Precondition: the type rule below holds.
absl::StatusOr<Axes> AxesOf(const Node& node, const Shape& indices) {
  Axes axes;
  ASSIGN_OR_RETURN(const std::int64_t batch_dims, IntAttribute(node, "batch_dims", 1, 1));
  axes.batch_dims = static_cast<std::size_t>(batch_dims);
  axes.depth = static_cast<std::size_t>(indices.back().value());
  return axes;
}

// Indices of one row serve every row.
void Run(const Axes& axes, std::size_t element_size, const StepArguments& arguments) {
  const TensorView& data = arguments.inputs[kData];
  const TensorView& indices = arguments.inputs[kIndices];
  const MutableTensorView& result = arguments.outputs[0];
  const std::span<const std::int64_t> looked_up = data.dims.subspan(axes.batch_dims, axes.depth);
  const auto slice_size =
      static_cast<std::size_t>(NumElements(data.dims.subspan(axes.batch_dims + axes.depth))) *
      element_size;
  auto* out = result.as<std::byte>();
  const auto byte_size = static_cast<std::size_t>(NumElements(result.dims)) * element_size;
  if (byte_size == 0) return;
  const std::int64_t slices = NumElements(looked_up);
  if (slices == 0) {  // there is nothing to gather
    std::memset(out, 0, byte_size);
    return;
  }
  const auto depth = static_cast<std::int64_t>(axes.depth);
  const std::int64_t num_indices = NumElements(indices.dims);
  const std::int64_t places =
      num_indices / depth / NumElements(indices.dims.first(axes.batch_dims));
  const std::int64_t batches = NumElements(data.dims.first(axes.batch_dims));
  std::int64_t at = 0;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    for (std::int64_t place = 0; place < places; ++place) {
      if (at == num_indices) at = 0;
      std::int64_t slice = 0;
      for (const std::int64_t length : looked_up) {
        slice = slice * length + PlaceOf(IndexAt(indices, at++), length);
      }
      std::memcpy(
          out, data.as<std::byte>() + static_cast<std::size_t>(batch * slices + slice) * slice_size,
          slice_size);
      out += slice_size;
    }
  }
}

class GatherNd final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "GatherNd"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, 2));
    RETURN_IF_ERROR(inputs.CheckRank(kData, "x", 2));
    RETURN_IF_ERROR(inputs.CheckRank(kIndices, "indices", 2));
    RETURN_IF_ERROR(CheckAddressable(node, types[kData]));
    RETURN_IF_ERROR(
        inputs.CheckDataType(kIndices, "indices", {DataType::kInt32, DataType::kInt64}));
    const Shape& data = inputs.shape(kData);
    const Shape& indices = inputs.shape(kIndices);
    if (!indices.back().is_constant()) {
      return InvalidNode(node, "indices of an open number of axes");
    }
    ASSIGN_OR_RETURN(const Axes axes, AxesOf(node, indices));
    if (axes.batch_dims >= std::min(data.size(), indices.size()) || axes.depth < 1 ||
        axes.depth > data.size() - axes.batch_dims) {
      return InvalidNode(
          node, "x of ", data.size(), " dimensions and indices ", ToString(indices, {}), " behind ",
          axes.batch_dims,
          " dimensions of both, wants 1 to as many indices as x has dimensions there");
    }
    RETURN_IF_ERROR(CheckBatch(inputs, node, axes));
    RETURN_IF_ERROR(CheckIndices(inputs, node, axes));
    const auto behind = [](const Shape& shape, std::size_t axis) {
      return shape.begin() + static_cast<std::ptrdiff_t>(axis);
    };
    Shape shape(data.begin(), behind(data, axes.batch_dims));
    shape.insert(shape.end(), behind(indices, axes.batch_dims), indices.end() - 1);
    shape.insert(shape.end(), behind(data, axes.batch_dims + axes.depth), data.end());
    return OneOutput(node, {types[kData].data_type, std::move(shape), types[kData].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const Axes axes, AxesOf(context.node, context.inputs[kIndices].shape));
    const std::size_t element_size = BitWidth(context.inputs[kData].data_type) / 8;
    return MakeStep("portable:gather_nd", [axes, element_size](const StepArguments& arguments) {
      octet::Run(axes, element_size, arguments);
    });
  }

 private:
  // Both begin with the same dimensions, but for constant indices, which may be those of one row.
  static absl::Status CheckBatch(const NodeInputs& inputs, const Node& node, const Axes& axes) {
    const Shape& data = inputs.shape(kData);
    const Shape& indices = inputs.shape(kIndices);
    const bool is_one_row = inputs.constant(kIndices) != nullptr && indices[0] == Dim(1);
    for (std::size_t d = is_one_row ? 1 : 0; d < axes.batch_dims; ++d) {
      if (data[d] == indices[d]) continue;
      return InvalidNode(node, "x ", ToString(data, {}), " and indices ", ToString(indices, {}),
                         " do not begin with the same ", axes.batch_dims, " dimensions");
    }
    return absl::OkStatus();
  }

  // None that is known is outside.
  static absl::Status CheckIndices(const NodeInputs& inputs, const Node& node, const Axes& axes) {
    const Shape& data = inputs.shape(kData);
    for (std::size_t i = 0; i < axes.depth; ++i) {
      if (data[axes.batch_dims + i] == Dim(0)) {
        return InvalidNode(node, "looks up along an axis without elements");
      }
    }
    const ConstantTensor* const constant = inputs.constant(kIndices);
    if (constant == nullptr) return absl::OkStatus();
    const TensorView indices = constant->view();
    const std::int64_t count = NumElements(indices.dims);
    for (std::int64_t at = 0; at < count; ++at) {
      const std::size_t axis = axes.batch_dims + static_cast<std::size_t>(at) % axes.depth;
      const std::int64_t index = IndexAt(indices, at);
      if (!data[axis].is_constant()) continue;
      const std::int64_t length = data[axis].value();
      if (index >= -length && index < length) continue;
      return InvalidNode(node, "index ", index, " along axis ", axis, ", wants ", -length, " to ",
                         length - 1);
    }
    return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeGatherNd() { return std::make_unique<const GatherNd>(); }

}  // namespace octet
