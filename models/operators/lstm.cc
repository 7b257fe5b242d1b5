// SPDX-License-Identifier: Apache-2.0

#include "models/operators/lstm.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/recurrent_layer.h"
#include "models/operators/scratch_layout.h"

namespace octet {
namespace {

using Inputs = RecurrentInputs;

constexpr RecurrentInputs kLayout{.gates = 4, .has_cell_state = true};

// Gates in the order i, f, c, o:
//   c' = f * c + i * activation(z_c), clipped;  h' = o * activation(c')
class LstmCell final : public RecurrentCell {
 public:
  // `cell_clip`: the largest magnitude of c'; 0 for any.
  LstmCell(std::size_t units, float cell_clip, kernels::Activation activation,
           kernels::Activation recurrent_activation,
           std::unique_ptr<const kernels::MatmulF32> recurrent, const kernels::KernelSet& kernels)
      : units_(units),
        cell_clip_(cell_clip),
        activation_(activation),
        recurrent_activation_(recurrent_activation),
        recurrent_(std::move(recurrent)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::size_t rows) const override {
    ScratchLayout layout;
    layout.Take<float>(rows * 4 * units_);
    layout.Take<std::byte>(recurrent_->ScratchByteSize(rows));
    return layout.byte_size();
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return recurrent_->PackedByteSize();
  }

  void Advance(const Arguments& arguments) const override {
    const std::size_t rows = arguments.rows;
    ScratchLayout layout(arguments.scratch);
    const std::span<float> gates = layout.Take<float>(rows * 4 * units_);
    recurrent_->Run({.m = rows,
                     .lhs = arguments.h,
                     .out = gates,
                     .scratch = layout.Take<std::byte>(recurrent_->ScratchByteSize(rows))});
    for (std::size_t i = 0; i < gates.size(); ++i) gates[i] += arguments.projected[i];
    for (std::size_t row = 0; row < rows; ++row) {
      const std::span<float> z = gates.subspan(row * 4 * units_, 4 * units_);
      const std::span<float> input_and_forget = z.first(2 * units_);
      const std::span<float> candidate = z.subspan(2 * units_, units_);
      const std::span<float> output = z.subspan(3 * units_, units_);
      kernels_.activation_f32(recurrent_activation_, input_and_forget, input_and_forget);
      kernels_.activation_f32(activation_, candidate, candidate);
      kernels_.activation_f32(recurrent_activation_, output, output);
      const std::span<const float> c = arguments.c.subspan(row * units_, units_);
      const std::span<float> next_c = arguments.next_c.subspan(row * units_, units_);
      const std::span<float> next_h = arguments.next_h.subspan(row * units_, units_);
      for (std::size_t u = 0; u < units_; ++u) {
        next_c[u] = z[units_ + u] * c[u] + z[u] * candidate[u];
      }
      if (cell_clip_ > 0.0F) {
        for (float& value : next_c) value = std::clamp(value, -cell_clip_, cell_clip_);
      }
      kernels_.activation_f32(activation_, next_c, next_h);
      for (std::size_t u = 0; u < units_; ++u) next_h[u] *= output[u];
    }
  }

 private:
  const std::size_t units_;
  const float cell_clip_;
  const kernels::Activation activation_;
  const kernels::Activation recurrent_activation_;
  const std::unique_ptr<const kernels::MatmulF32> recurrent_;
  const kernels::KernelSet& kernels_;
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
    RETURN_IF_ERROR(CellClipAttribute(node).status());
    RETURN_IF_ERROR(ElementwiseActivationAttributes(node, "tanh").status());
    RETURN_IF_ERROR(
        ElementwiseActivationAttributes(node, "sigmoid", "recurrent_activation").status());
    return outputs;
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims&) const override {
    return CountRecurrentProducts(inputs);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const kernels::Activation activation,
                     ElementwiseActivationAttributes(context.node, "tanh"));
    ASSIGN_OR_RETURN(
        const kernels::Activation recurrent_activation,
        ElementwiseActivationAttributes(context.node, "sigmoid", "recurrent_activation"));
    ASSIGN_OR_RETURN(const float cell_clip, CellClipAttribute(context.node));
    const ConstantTensor& recurrent = *context.constants[Inputs::kRecurrent];
    const auto units = static_cast<std::size_t>(recurrent.dims()[0]);
    ASSIGN_OR_RETURN(auto matmul, PrepareRecurrentMatmul(context, units, 4 * units,
                                                         FloatElements(recurrent), {}));
    return MakeRecurrentStep(
        kLayout, context, RecurrentBias(context),
        std::make_unique<const LstmCell>(units, cell_clip, activation, recurrent_activation,
                                         std::move(matmul), context.kernels));
  }

 private:
  static absl::StatusOr<float> CellClipAttribute(const Node& node) {
    ASSIGN_OR_RETURN(const float clip, FloatAttribute(node, "cell_clip", 0.0));
    if (clip >= 0.0F) return clip;
    return InvalidNode(node, "attribute \"cell_clip\" is ", clip, ", wants 0 or more");
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeLstm() { return std::make_unique<const Lstm>(); }

}  // namespace octet
