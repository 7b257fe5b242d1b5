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
    OperatorEntry{"Constant", TranslateFolded}, OperatorEntry{"ConstantOfShape", TranslateFolded},
    OperatorEntry{"Identity", TranslateFolded}, OperatorEntry{"Mod", TranslateFolded},
    OperatorEntry{"Range", TranslateFolded},    OperatorEntry{"ScatterND", TranslateFolded},
    OperatorEntry{"Shape", TranslateFolded},    OperatorEntry{"Size", TranslateFolded},
};

using Lists = std::vector<std::span<const OperatorEntry>>;

Lists ListsOf(absl::string_view domain) {
  if (domain.empty()) {
    return {AttentionOperators(),
            ConvolutionOperators(),
            EinsumOperators(),
            ElementwiseOperators(),
            IntegerOperators(),
            LinearOperators(),
            LookupOperators(),
            MaskingOperators(),
            NormalizationOperators(),
            PoolingOperators(),
            QuantizationOperators(),
            RecurrentOperators(),
            ReductionOperators(),
            ResizeOperators(),
            RotaryOperators(),
            ShapeOperators(),
            kFolded};
  }
  if (domain == "com.microsoft") {
    return {MicrosoftIntegerOperators(), MicrosoftLinearOperators(), MicrosoftRotaryOperators(),
            MicrosoftTransformerOperators()};
  }
  return {};
}

}  // namespace

const OperatorEntry* FindOperator(absl::string_view domain, absl::string_view name) {
  for (const std::span<const OperatorEntry> entries : ListsOf(domain)) {
    for (const OperatorEntry& entry : entries) {
      if (entry.name == name) return &entry;
    }
  }
  return nullptr;
}

std::vector<absl::string_view> OperatorNames(absl::string_view domain) {
  std::vector<absl::string_view> names;
  for (const std::span<const OperatorEntry> entries : ListsOf(domain)) {
    for (const OperatorEntry& entry : entries) {
      if (!entry.is_refused) names.push_back(entry.name);
    }
  }
  return names;
}

}  // namespace octet::onnx
