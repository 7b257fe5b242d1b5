// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/operator_list.h"

#include <array>

#include "absl/container/flat_hash_set.h"

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

bool IsElementwise(absl::string_view name) {
  static const absl::flat_hash_set<absl::string_view> names = {"Abs",
                                                               "Acos",
                                                               "Acosh",
                                                               "Add",
                                                               "And",
                                                               "Asin",
                                                               "Asinh",
                                                               "Atan",
                                                               "Atanh",
                                                               "BitwiseAnd",
                                                               "BitwiseNot",
                                                               "BitwiseOr",
                                                               "BitwiseXor",
                                                               "Cast",
                                                               "Ceil",
                                                               "Celu",
                                                               "Clip",
                                                               "Cos",
                                                               "Cosh",
                                                               "Div",
                                                               "Elu",
                                                               "Equal",
                                                               "Erf",
                                                               "Exp",
                                                               "Floor",
                                                               "Gelu",
                                                               "Greater",
                                                               "GreaterOrEqual",
                                                               "HardSigmoid",
                                                               "HardSwish",
                                                               "IsInf",
                                                               "IsNaN",
                                                               "LeakyRelu",
                                                               "Less",
                                                               "LessOrEqual",
                                                               "Log",
                                                               "Max",
                                                               "Mean",
                                                               "Min",
                                                               "Mish",
                                                               "Mod",
                                                               "Mul",
                                                               "Neg",
                                                               "Not",
                                                               "Or",
                                                               "PRelu",
                                                               "Pow",
                                                               "Reciprocal",
                                                               "Relu",
                                                               "Round",
                                                               "Selu",
                                                               "Shrink",
                                                               "Sigmoid",
                                                               "Sign",
                                                               "Sin",
                                                               "Sinh",
                                                               "Softplus",
                                                               "Softsign",
                                                               "Sqrt",
                                                               "Sub",
                                                               "Sum",
                                                               "Swish",
                                                               "Tan",
                                                               "Tanh",
                                                               "ThresholdedRelu",
                                                               "Where",
                                                               "Xor"};
  return names.contains(name);
}

}  // namespace octet::onnx
