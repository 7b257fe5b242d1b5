// SPDX-License-Identifier: Apache-2.0

#include "models/operators/lstm.h"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/lstm_gates.h"
#include "models/operators/node_checks.h"
#include "models/operators/recurrent_layer.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

using Inputs = RecurrentInputs;

constexpr RecurrentInputs kLayout{.gates = 4, .has_cell_state = true};

class LstmCell final : public RecurrentCell {
 public:
  LstmCell(LstmGates gates, std::unique_ptr<const kernels::MatmulF32> recurrent)
      : gates_(std::move(gates)), recurrent_(std::move(recurrent)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::size_t rows) const override {
    ScratchLayout layout;
    layout.Take<float>(rows * gates_.width());
    layout.Take<std::byte>(recurrent_->ScratchByteSize(rows));
    return layout.byte_size();
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return recurrent_->PackedByteSize();
  }

  void Advance(const Arguments& arguments) const override {
    const std::size_t rows = arguments.rows;
    const std::size_t units = gates_.units();
    ScratchLayout layout(arguments.scratch);
    const std::span<float> gates = layout.Take<float>(rows * gates_.width());
    recurrent_->Run({.m = rows,
                     .lhs = arguments.h,
                     .out = gates,
                     .scratch = layout.Take<std::byte>(recurrent_->ScratchByteSize(rows))});
    for (std::size_t i = 0; i < gates.size(); ++i) gates[i] += arguments.projected[i];
    for (std::size_t row = 0; row < rows; ++row) {
      gates_.Advance({.z = gates.subspan(row * gates_.width(), gates_.width()),
                      .c = arguments.c.subspan(row * units, units),
                      .next_c = arguments.next_c.subspan(row * units, units),
                      .next_h = arguments.next_h.subspan(row * units, units)});
    }
  }

 private:
  const LstmGates gates_;
  const std::unique_ptr<const kernels::MatmulF32> recurrent_;
};

class Lstm final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Lstm"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(std::vector<TensorType> outputs,
                     InferRecurrentOutputs(kLayout, node, types, constants));
    RETURN_IF_ERROR(CheckRecurrentBias(node, types, constants));
    RETURN_IF_ERROR(CheckLstmGates(node));
    const NodeInputs inputs(node, types, constants);
    if (inputs.Has(Inputs::kPeephole)) {
      // Three times the size of something in memory.
      const std::int64_t width = 3 * inputs.constant(Inputs::kRecurrent)->dims()[0];
      RETURN_IF_ERROR(inputs.CheckConstant(Inputs::kPeephole, "peephole", DataType::kFloat32,
                                           std::array{width}));
    }
    return outputs;
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return CountRecurrentProducts(inputs);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const ConstantTensor& recurrent = *context.constants[Inputs::kRecurrent];
    const auto units = static_cast<std::size_t>(recurrent.dims()[0]);
    ASSIGN_OR_RETURN(auto matmul, PrepareRecurrentMatmul(context, units, 4 * units,
                                                         FloatElements(recurrent), {}));
    std::vector<float> peepholes;
    if (context.node.HasInput(Inputs::kPeephole)) {
      peepholes = FloatElements(*context.constants[Inputs::kPeephole]);
    }
    ASSIGN_OR_RETURN(LstmGates gates,
                     MakeLstmGates(context.node, units, context.kernels, std::move(peepholes)));
    return MakeRecurrentStep(kLayout, context, RecurrentBias(context),
                             std::make_unique<const LstmCell>(std::move(gates), std::move(matmul)));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeLstm() { return std::make_unique<const Lstm>(); }

}  // namespace octet
