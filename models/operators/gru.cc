// SPDX-License-Identifier: Apache-2.0

#include "models/operators/gru.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/cell_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/recurrent_layer.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

using Inputs = RecurrentInputs;
using Matmul = std::unique_ptr<const kernels::MatmulF32>;

constexpr RecurrentInputs kLayout{.gates = 3, .has_cell_state = false};

struct GruActivations {
  CellActivation candidate;
  CellActivation recurrent;
};

absl::StatusOr<GruActivations> ActivationAttributes(const Node& node) {
  GruActivations activations;
  ASSIGN_OR_RETURN(activations.candidate, CellActivation::Of(node, "activation", "tanh"));
  ASSIGN_OR_RETURN(activations.recurrent,
                   CellActivation::Of(node, "recurrent_activation", "sigmoid"));
  return activations;
}

// Gates in the order z, r, h: h' = z * h + (1 - z) * candidate, where the candidate is
//   reset after:  activation(x_h + r * (h U_h + b))   with one matrix for all three gates
//   reset before: activation(x_h + (r * h) U_h)       with z and r in one, h in another
class GruCell final : public RecurrentCell {
 public:
  // `candidate` is null where the reset comes after.
  GruCell(std::size_t units, GruActivations activations, Matmul gates, Matmul candidate,
          const kernels::KernelSet& kernels)
      : units_(units),
        activations_(activations),
        gates_(std::move(gates)),
        candidate_(std::move(candidate)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::size_t rows) const override {
    ScratchLayout layout;
    TakeBuffers(rows, layout);
    return layout.byte_size();
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return gates_->PackedByteSize() + (candidate_ == nullptr ? 0 : candidate_->PackedByteSize());
  }

  void Advance(const Arguments& arguments) const override {
    const std::size_t rows = arguments.rows;
    ScratchLayout layout(arguments.scratch);
    const Buffers buffers = TakeBuffers(rows, layout);
    const std::size_t width = gate_columns();
    gates_->Run({.m = rows,
                 .lhs = arguments.h,
                 .out = buffers.recurrent,
                 .scratch = buffers.matmul_scratch});
    // z and r, into the projected inputs.
    for (std::size_t row = 0; row < rows; ++row) {
      const std::span<float> z_and_r = arguments.projected.subspan(row * 3 * units_, 2 * units_);
      const std::span<const float> recurrent = buffers.recurrent.subspan(row * width, width);
      for (std::size_t i = 0; i < 2 * units_; ++i) z_and_r[i] += recurrent[i];
      activations_.recurrent.Apply(kernels_, z_and_r, z_and_r);
    }
    if (candidate_ != nullptr) ResetBefore(arguments, buffers);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::span<float> projected = arguments.projected.subspan(row * 3 * units_, 3 * units_);
      const std::span<float> next_h = arguments.next_h.subspan(row * units_, units_);
      const std::span<const float> h = arguments.h.subspan(row * units_, units_);
      for (std::size_t u = 0; u < units_; ++u) {
        const float recurrent =
            candidate_ != nullptr
                ? buffers.candidate[row * units_ + u]
                : projected[units_ + u] * buffers.recurrent[row * width + 2 * units_ + u];
        next_h[u] = projected[2 * units_ + u] + recurrent;
      }
      activations_.candidate.Apply(kernels_, next_h, next_h);
      for (std::size_t u = 0; u < units_; ++u) {
        next_h[u] = projected[u] * h[u] + (1.0F - projected[u]) * next_h[u];
      }
    }
  }

 private:
  struct Buffers {
    std::span<float> recurrent;  // [rows, gate_columns()]
    std::span<float> reset;      // [rows, u]: r * h
    std::span<float> candidate;  // [rows, u]
    std::span<std::byte> matmul_scratch;
  };

  [[nodiscard]] std::size_t gate_columns() const {
    return (candidate_ == nullptr ? 3 : 2) * units_;
  }

  Buffers TakeBuffers(std::size_t rows, ScratchLayout& layout) const {
    Buffers buffers;
    buffers.recurrent = layout.Take<float>(rows * gate_columns());
    std::size_t scratch = gates_->ScratchByteSize(rows);
    if (candidate_ != nullptr) {
      buffers.reset = layout.Take<float>(rows * units_);
      buffers.candidate = layout.Take<float>(rows * units_);
      scratch = std::max(scratch, candidate_->ScratchByteSize(rows));
    }
    buffers.matmul_scratch = layout.Take<std::byte>(scratch);
    return buffers;
  }

  void ResetBefore(const Arguments& arguments, const Buffers& buffers) const {
    for (std::size_t row = 0; row < arguments.rows; ++row) {
      const std::span<const float> r =
          arguments.projected.subspan(row * 3 * units_ + units_, units_);
      for (std::size_t u = 0; u < units_; ++u) {
        buffers.reset[row * units_ + u] = r[u] * arguments.h[row * units_ + u];
      }
    }
    candidate_->Run({.m = arguments.rows,
                     .lhs = buffers.reset,
                     .out = buffers.candidate,
                     .scratch = buffers.matmul_scratch});
  }

  const std::size_t units_;
  const GruActivations activations_;
  const Matmul gates_;
  const Matmul candidate_;
  const kernels::KernelSet& kernels_;
};

class Gru final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Gru"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(std::vector<TensorType> outputs,
                     InferRecurrentOutputs(kLayout, node, types, constants));
    const NodeInputs inputs(node, types, constants);
    ASSIGN_OR_RETURN(const bool resets_after, FlagAttribute(node, "reset_after", true));
    if (inputs.Has(Inputs::kBias)) {
      const std::int64_t width = inputs.constant(Inputs::kRecurrent)->dims()[1];
      const Dims one = {width};
      const Dims both = {2, width};
      const bool has_both = resets_after && inputs.rank(Inputs::kBias) == 2;
      RETURN_IF_ERROR(
          inputs.CheckConstant(Inputs::kBias, "bias", DataType::kFloat32, has_both ? both : one));
    }
    RETURN_IF_ERROR(ActivationAttributes(node).status());
    return outputs;
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return CountRecurrentProducts(inputs);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const GruActivations activations, ActivationAttributes(context.node));
    ASSIGN_OR_RETURN(const bool resets_after, FlagAttribute(context.node, "reset_after", true));
    const ConstantTensor& constant = *context.constants[Inputs::kRecurrent];
    const auto units = static_cast<std::size_t>(constant.dims()[0]);
    const std::vector<float> recurrent = FloatElements(constant);
    std::vector<float> bias = RecurrentBias(context);
    // Row 0 belongs to the inputs, row 1 to the state.
    const std::vector<float> input_bias(
        bias.begin(), bias.begin() + static_cast<std::ptrdiff_t>(std::min(bias.size(), 3 * units)));
    bias.erase(bias.begin(), bias.begin() + static_cast<std::ptrdiff_t>(input_bias.size()));
    Matmul gates;
    Matmul candidate;
    if (resets_after) {
      ASSIGN_OR_RETURN(gates, PrepareRecurrentMatmul(context, units, 3 * units, recurrent, bias));
    } else {
      ASSIGN_OR_RETURN(gates,
                       PrepareRecurrentMatmul(context, units, 2 * units,
                                              Columns(recurrent, 3 * units, 0, 2 * units), {}));
      ASSIGN_OR_RETURN(candidate,
                       PrepareRecurrentMatmul(context, units, units,
                                              Columns(recurrent, 3 * units, 2 * units, units), {}));
    }
    return MakeRecurrentStep(
        kLayout, context, input_bias,
        std::make_unique<const GruCell>(units, activations, std::move(gates), std::move(candidate),
                                        context.kernels));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeGru() { return std::make_unique<const Gru>(); }

}  // namespace octet
