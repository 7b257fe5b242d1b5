// SPDX-License-Identifier: Apache-2.0

#include "models/operators/recurrent_layer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

using Inputs = RecurrentInputs;

// Steps in time whose inputs are projected at once: enough to fill the matrix kernels, and a bound
// for the scratch of long sequences.
constexpr std::size_t kChunk = 32;

struct RecurrentAttributes {
  bool returns_sequences = false;
  bool goes_backwards = false;
  bool has_zero_output = false;  // masked steps give zeros, and not the last output again
};

absl::StatusOr<RecurrentAttributes> Attributes(const Node& node) {
  RecurrentAttributes attributes;
  ASSIGN_OR_RETURN(attributes.returns_sequences, FlagAttribute(node, "return_sequences", false));
  ASSIGN_OR_RETURN(attributes.goes_backwards, FlagAttribute(node, "go_backwards", false));
  ASSIGN_OR_RETURN(attributes.has_zero_output, FlagAttribute(node, "zero_output_for_mask", false));
  return attributes;
}

class RecurrentStep final : public Step {
 public:
  RecurrentStep(RecurrentInputs layout, const PrepareContext& context,
                RecurrentAttributes attributes,
                std::unique_ptr<const kernels::MatmulF32> projection,
                std::unique_ptr<const RecurrentCell> cell)
      : layout_(layout),
        attributes_(attributes),
        inputs_(static_cast<std::size_t>(context.constants[Inputs::kKernel]->dims()[0])),
        units_(static_cast<std::size_t>(context.constants[Inputs::kRecurrent]->dims()[0])),
        has_mask_(context.node.HasInput(Inputs::kMask)),
        has_h0_(context.node.HasInput(Inputs::kH0)),
        has_c0_(context.node.HasInput(Inputs::kC0)),
        projection_(std::move(projection)),
        cell_(std::move(cell)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    ScratchLayout layout;
    TakeBuffers(inputs[Inputs::kX], layout);
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override;

  [[nodiscard]] std::string kernel_name() const override {
    return absl::StrCat("recurrent:", std::string(projection_->Provider()));
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Inputs::kX || index == Inputs::kMask || index == Inputs::kH0 ||
           index == Inputs::kC0;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return projection_->PackedByteSize() + cell_->packed_byte_size();
  }

 private:
  struct Buffers {
    std::size_t rows = 0;
    std::size_t steps = 0;
    std::size_t chunk = 0;
    std::span<float> projected;  // [rows, chunk, gates * u]
    std::span<float> current;    // [rows, gates * u]
    std::span<float> h, next_h, c, next_c;
    std::span<std::byte> projection_scratch;
    std::span<std::byte> cell_scratch;
  };

  // Which steps of which rows leave the states as they are.
  struct Mask {
    const std::uint8_t* counts;  // [rows, steps], 0: masked; null: none is
    std::size_t steps;
    bool operator()(std::size_t row, std::size_t time) const {
      return counts != nullptr && counts[row * steps + time] == 0;
    }
  };

  [[nodiscard]] std::size_t gate_width() const { return layout_.gates * units_; }

  Buffers TakeBuffers(const TensorView& x, ScratchLayout& layout) const {
    Buffers buffers;
    buffers.rows = static_cast<std::size_t>(NumElements(x.dims.first(x.dims.size() - 2)));
    buffers.steps = static_cast<std::size_t>(x.dims[x.dims.size() - 2]);
    buffers.chunk = std::min(kChunk, buffers.steps);
    const std::size_t state = buffers.rows * units_;
    buffers.projected = layout.Take<float>(buffers.rows * buffers.chunk * gate_width());
    buffers.current = layout.Take<float>(buffers.rows * gate_width());
    buffers.h = layout.Take<float>(state);
    buffers.next_h = layout.Take<float>(state);
    if (layout_.has_cell_state) {
      buffers.c = layout.Take<float>(state);
      buffers.next_c = layout.Take<float>(state);
    }
    // The last chunk may be shorter.
    buffers.projection_scratch =
        layout.Take<std::byte>(std::max(projection_->ScratchByteSize(buffers.chunk),
                                        projection_->ScratchByteSize(buffers.steps % kChunk)));
    buffers.cell_scratch = layout.Take<std::byte>(cell_->ScratchByteSize(buffers.rows));
    return buffers;
  }

  // Projects the inputs at times [first, first + count) of every row.
  void Project(const TensorView& x, std::size_t first, std::size_t count,
               const Buffers& buffers) const {
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      const float* from = x.as<float>() + (row * buffers.steps + first) * inputs_;
      projection_->Run({.m = count,
                        .lhs = {from, count * inputs_},
                        .out = buffers.projected.subspan(row * buffers.chunk * gate_width(),
                                                         count * gate_width()),
                        .scratch = buffers.projection_scratch});
    }
  }

  void InitializeStates(const StepArguments& arguments, const Buffers& buffers) const {
    const auto initialize = [&](bool is_given, std::size_t input, std::span<float> state) {
      if (!is_given) {
        std::fill(state.begin(), state.end(), 0.0F);
        return;
      }
      const TensorView& given = arguments.inputs[input];
      const auto size = static_cast<std::size_t>(NumElements(given.dims));
      for (std::size_t at = 0; at < state.size(); at += size) {
        std::copy_n(given.as<float>(), size, state.begin() + static_cast<std::ptrdiff_t>(at));
      }
    };
    initialize(has_h0_, Inputs::kH0, buffers.h);
    if (layout_.has_cell_state) initialize(has_c0_, Inputs::kC0, buffers.c);
  }

  // The states after the inputs at `time`, whose projections begin at time `first`.
  void Advance(std::size_t time, std::size_t first, const Mask& is_masked, Buffers& buffers) const {
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      const std::size_t from = (row * buffers.chunk + time - first) * gate_width();
      std::copy_n(buffers.projected.data() + from, gate_width(),
                  buffers.current.data() + row * gate_width());
    }
    cell_->Advance({.rows = buffers.rows,
                    .projected = buffers.current,
                    .h = buffers.h,
                    .c = buffers.c,
                    .next_h = buffers.next_h,
                    .next_c = buffers.next_c,
                    .scratch = buffers.cell_scratch});
    for (std::size_t row = 0; row < buffers.rows; ++row) {
      if (!is_masked(row, time)) continue;
      const std::size_t at = row * units_;
      std::copy_n(buffers.h.data() + at, units_, buffers.next_h.data() + at);
      if (layout_.has_cell_state) {
        std::copy_n(buffers.c.data() + at, units_, buffers.next_c.data() + at);
      }
    }
    std::swap(buffers.h, buffers.next_h);
    std::swap(buffers.c, buffers.next_c);
  }

  const RecurrentInputs layout_;
  const RecurrentAttributes attributes_;
  const std::size_t inputs_;
  const std::size_t units_;
  const bool has_mask_;
  const bool has_h0_;
  const bool has_c0_;
  const std::unique_ptr<const kernels::MatmulF32> projection_;
  const std::unique_ptr<const RecurrentCell> cell_;
};

void RecurrentStep::Run(const StepArguments& arguments) const {
  const TensorView& x = arguments.inputs[Inputs::kX];
  ScratchLayout layout(arguments.scratch);
  Buffers buffers = TakeBuffers(x, layout);
  const std::size_t steps = buffers.steps;
  const Mask is_masked{has_mask_ ? arguments.inputs[Inputs::kMask].as<std::uint8_t>() : nullptr,
                       steps};
  float* out = arguments.outputs[0].as<float>();
  const auto emit = [&](std::size_t row, std::size_t time, float* to) {
    const std::span<const float> h = buffers.h.subspan(row * units_, units_);
    if (attributes_.has_zero_output && is_masked(row, time)) {
      std::fill_n(to, units_, 0.0F);
    } else {
      std::copy(h.begin(), h.end(), to);
    }
  };
  InitializeStates(arguments, buffers);
  std::size_t first = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t time = attributes_.goes_backwards ? steps - 1 - step : step;
    if (step % kChunk == 0) {
      const std::size_t count = std::min(buffers.chunk, steps - step);
      first = attributes_.goes_backwards ? time + 1 - count : time;
      Project(x, first, count, buffers);
    }
    Advance(time, first, is_masked, buffers);
    for (std::size_t row = 0; attributes_.returns_sequences && row < buffers.rows; ++row) {
      emit(row, time, out + (row * steps + step) * units_);
    }
  }
  const std::size_t last = attributes_.goes_backwards ? 0 : steps - 1;
  for (std::size_t row = 0; !attributes_.returns_sequences && row < buffers.rows; ++row) {
    emit(row, last, out + row * units_);
  }
  if (arguments.outputs.size() > 1) {
    std::copy(buffers.h.begin(), buffers.h.end(), arguments.outputs[1].as<float>());
  }
  if (arguments.outputs.size() > 2) {
    std::copy(buffers.c.begin(), buffers.c.end(), arguments.outputs[2].as<float>());
  }
}

// Each of the initial states that there are has the shape `state`, or is a constant for one row.
absl::Status CheckStates(const NodeInputs& inputs, const Node& node, const Shape& state) {
  for (const std::size_t i : {Inputs::kH0, Inputs::kC0}) {
    if (!inputs.Has(i)) continue;
    RETURN_IF_ERROR(inputs.CheckDataType(i, "state", {DataType::kFloat32}));
    Shape wanted = state;
    if (inputs.constant(i) != nullptr) wanted[0] = Dim(1);
    if (inputs.shape(i) != wanted) {
      return InvalidNode(node, "an initial state has shape ", ToString(inputs.shape(i), {}),
                         ", wants ", ToString(wanted, {}));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TensorType>> InferRecurrentOutputs(
    const RecurrentInputs& layout, const Node& node, std::span<const TensorType> types,
    std::span<const ConstantTensor* const> constants) {
  const NodeInputs inputs(node, types, constants);
  const std::size_t num_states = layout.has_cell_state ? 2 : 1;
  const std::size_t most_inputs = (layout.has_cell_state ? Inputs::kPeephole : Inputs::kH0) + 1;
  RETURN_IF_ERROR(inputs.CheckCounts(3, most_inputs, 1, 1 + num_states));
  if (node.outputs.size() != 1 && node.outputs.size() != 1 + num_states) {
    return InvalidNode(node, "has ", node.outputs.size(), " outputs, wants 1 or ", 1 + num_states);
  }
  RETURN_IF_ERROR(inputs.CheckDataType(Inputs::kX, "x", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckRank(Inputs::kX, "x", 3));
  for (const std::size_t i : {Inputs::kKernel, Inputs::kRecurrent}) {
    const absl::string_view name = i == Inputs::kKernel ? "kernel" : "recurrent";
    RETURN_IF_ERROR(inputs.CheckConstant(i, name));
    RETURN_IF_ERROR(inputs.CheckRank(i, name, 2, 2));
  }
  const std::int64_t units = inputs.constant(Inputs::kRecurrent)->dims()[0];
  const std::int64_t width = inputs.constant(Inputs::kKernel)->dims()[0];
  const auto gates = static_cast<std::int64_t>(layout.gates);
  if (units < 1 || width < 1) return InvalidNode(node, "kernels without elements");
  // `units` is the size of something in memory, so that the product cannot overflow.
  RETURN_IF_ERROR(inputs.CheckConstant(Inputs::kKernel, "kernel", DataType::kFloat32,
                                       std::array{width, gates * units}));
  RETURN_IF_ERROR(inputs.CheckConstant(Inputs::kRecurrent, "recurrent", DataType::kFloat32,
                                       std::array{units, gates * units}));
  const Shape& x = types[Inputs::kX].shape;
  const Shape steps(x.begin(), x.end() - 1);
  if (x.back() != Dim(width) || steps.back() == Dim(0)) {
    return InvalidNode(node, "input \"x\" has shape ", ToString(x, {}),
                       ", wants at least one step of ", width);
  }
  if (inputs.Has(Inputs::kMask)) {
    RETURN_IF_ERROR(inputs.CheckDataType(Inputs::kMask, "mask", {DataType::kBool}));
    if (inputs.shape(Inputs::kMask) != steps) {
      return InvalidNode(node, "input \"mask\" has shape ",
                         ToString(inputs.shape(Inputs::kMask), {}), ", wants ",
                         ToString(steps, {}));
    }
  }
  TensorType state{DataType::kFloat32, steps, std::nullopt};
  state.shape.back() = Dim(units);
  RETURN_IF_ERROR(CheckStates(inputs, node, state.shape));
  ASSIGN_OR_RETURN(const RecurrentAttributes attributes, Attributes(node));
  std::vector<TensorType> outputs(node.outputs.size(), state);
  if (attributes.returns_sequences) {
    outputs[0].shape = steps;
    outputs[0].shape.emplace_back(units);
  }
  for (const TensorType& output : outputs) RETURN_IF_ERROR(CheckShape(node, output.shape));
  return outputs;
}

absl::Status CheckRecurrentBias(const Node& node, std::span<const TensorType> types,
                                std::span<const ConstantTensor* const> constants) {
  const NodeInputs inputs(node, types, constants);
  if (!inputs.Has(Inputs::kBias)) return absl::OkStatus();
  const std::int64_t width = inputs.constant(Inputs::kRecurrent)->dims()[1];
  return inputs.CheckConstant(Inputs::kBias, "bias", DataType::kFloat32, std::array{width});
}

ProductCount CountRecurrentProducts(std::span<const Dims> inputs) {
  return {.count =
              ElementCount(std::span(inputs[Inputs::kX]).first(inputs[Inputs::kX].size() - 1)) *
              (ElementCount(inputs[Inputs::kKernel]) + ElementCount(inputs[Inputs::kRecurrent]))};
}

std::vector<float> RecurrentBias(const PrepareContext& context) {
  if (!context.node.HasInput(Inputs::kBias)) return {};
  return FloatElements(*context.constants[Inputs::kBias]);
}

absl::StatusOr<std::unique_ptr<const kernels::MatmulF32>> PrepareRecurrentMatmul(
    const PrepareContext& context, std::size_t k, std::size_t n, std::span<const float> weight,
    std::span<const float> bias) {
  kernels::MatmulF32Spec spec;
  spec.k = k;
  spec.n = n;
  spec.weight = weight;
  spec.bias = bias;
  auto prepared = context.kernels.prepare_matmul_f32(spec);
  if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
  return std::move(prepared.kernel);
}

std::vector<float> Columns(std::span<const float> matrix, std::size_t n, std::size_t first,
                           std::size_t count) {
  std::vector<float> columns;
  columns.reserve(matrix.size() / n * count);
  for (std::size_t at = first; at < matrix.size(); at += n) {
    const std::span<const float> row = matrix.subspan(at, count);
    columns.insert(columns.end(), row.begin(), row.end());
  }
  return columns;
}

absl::StatusOr<std::unique_ptr<const Step>> MakeRecurrentStep(
    const RecurrentInputs& layout, const PrepareContext& context, std::span<const float> input_bias,
    std::unique_ptr<const RecurrentCell> cell) {
  ASSIGN_OR_RETURN(const RecurrentAttributes attributes, Attributes(context.node));
  const ConstantTensor& kernel = *context.constants[Inputs::kKernel];
  ASSIGN_OR_RETURN(auto projection,
                   PrepareRecurrentMatmul(context, static_cast<std::size_t>(kernel.dims()[0]),
                                          static_cast<std::size_t>(kernel.dims()[1]),
                                          FloatElements(kernel), input_bias));
  return std::make_unique<const RecurrentStep>(layout, context, attributes, std::move(projection),
                                               std::move(cell));
}

}  // namespace octet
