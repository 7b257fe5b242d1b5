// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/operator_list.h"

#include <array>

namespace octet::onnx {

namespace {

// Computed whenever they occur, whatever they are given: folding.cc has them.
absl::StatusOr<std::vector<Operand>> TranslateFolded(NodeCall& call) {
  return call.Unimplemented("depends on the model's inputs in a way that needs a value beforehand");
}

constexpr std::array kFolded = {
    OperatorEntry{"Constant", TranslateFolded},   OperatorEntry{"ConstantOfShape", TranslateFolded},
    OperatorEntry{"Identity", TranslateFolded},   OperatorEntry{"Range", TranslateFolded},
    OperatorEntry{"ReduceProd", TranslateFolded}, OperatorEntry{"Shape", TranslateFolded},
    OperatorEntry{"Size", TranslateFolded},
};

using Lists = std::span<const std::span<const OperatorEntry>>;

const OperatorEntry* FindIn(Lists lists, absl::string_view name) {
  for (const std::span<const OperatorEntry> entries : lists) {
    for (const OperatorEntry& entry : entries) {
      if (entry.name == name) return &entry;
    }
  }
  return nullptr;
}

}  // namespace

const OperatorEntry* FindOperator(absl::string_view domain, absl::string_view name) {
  if (domain.empty()) {
    return FindIn(std::array{AttentionOperators(), ConvolutionOperators(), EinsumOperators(),
                             ElementwiseOperators(), IntegerOperators(), LinearOperators(),
                             LookupOperators(), MaskingOperators(), NormalizationOperators(),
                             PoolingOperators(), QuantizationOperators(), RecurrentOperators(),
                             ReductionOperators(), ResizeOperators(), RotaryOperators(),
                             ShapeOperators(), std::span<const OperatorEntry>(kFolded)},
                  name);
  }
  if (domain == "com.microsoft") {
    return FindIn(std::array{MicrosoftIntegerOperators(), MicrosoftLinearOperators(),
                             MicrosoftRotaryOperators(), MicrosoftTransformerOperators()},
                  name);
  }
  return nullptr;
}

}  // namespace octet::onnx
