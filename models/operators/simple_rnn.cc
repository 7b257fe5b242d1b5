// SPDX-License-Identifier: Apache-2.0

#include "models/operators/simple_rnn.h"

#include <array>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/cell_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/recurrent_layer.h"

namespace octet {
namespace {

using Inputs = RecurrentInputs;

constexpr RecurrentInputs kLayout{.gates = 1, .has_cell_state = false};

// h' = activation(z + h * recurrent)
class SimpleRnnCell final : public RecurrentCell {
 public:
  SimpleRnnCell(CellActivation activation, std::unique_ptr<const kernels::MatmulF32> recurrent,
                const kernels::KernelSet& kernels)
      : activation_(activation), recurrent_(std::move(recurrent)), kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::size_t rows) const override {
    return recurrent_->ScratchByteSize(rows);
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return recurrent_->PackedByteSize();
  }

  void Advance(const Arguments& arguments) const override {
    recurrent_->Run({.m = arguments.rows,
                     .lhs = arguments.h,
                     .out = arguments.next_h,
                     .scratch = arguments.scratch});
    for (std::size_t i = 0; i < arguments.next_h.size(); ++i) {
      arguments.next_h[i] += arguments.projected[i];
    }
    activation_.Apply(kernels_, arguments.next_h, arguments.next_h);
  }

 private:
  const CellActivation activation_;
  const std::unique_ptr<const kernels::MatmulF32> recurrent_;
  const kernels::KernelSet& kernels_;
};

class SimpleRnn final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "SimpleRnn"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(std::vector<TensorType> outputs,
                     InferRecurrentOutputs(kLayout, node, types, constants));
    RETURN_IF_ERROR(CheckRecurrentBias(node, types, constants));
    RETURN_IF_ERROR(CellActivation::Of(node, "activation", "tanh").status());
    return outputs;
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return CountRecurrentProducts(inputs);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const CellActivation activation,
                     CellActivation::Of(context.node, "activation", "tanh"));
    const ConstantTensor& recurrent = *context.constants[Inputs::kRecurrent];
    const auto units = static_cast<std::size_t>(recurrent.dims()[0]);
    ASSIGN_OR_RETURN(auto matmul,
                     PrepareRecurrentMatmul(context, units, units, FloatElements(recurrent), {}));
    return MakeRecurrentStep(
        kLayout, context, RecurrentBias(context),
        std::make_unique<const SimpleRnnCell>(activation, std::move(matmul), context.kernels));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeSimpleRnn() { return std::make_unique<const SimpleRnn>(); }

}  // namespace octet
