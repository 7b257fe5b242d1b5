// SPDX-License-Identifier: Apache-2.0
// The operators of ONNX that can be imported. Each file ..._operators.cc has some of them and ends
// with their list.

#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// Appends what the node stands for and returns its outputs: as many as anybody may want.
using TranslateNode = absl::StatusOr<std::vector<Operand>> (*)(NodeCall&);

struct OperatorEntry {
  absl::string_view name;
  TranslateNode translate;
  // Whether it is there only to say why it cannot be imported, and what to do instead.
  bool is_refused = false;
};

std::span<const OperatorEntry> AttentionOperators();
std::span<const OperatorEntry> ConvolutionOperators();
std::span<const OperatorEntry> EinsumOperators();
std::span<const OperatorEntry> ElementwiseOperators();
std::span<const OperatorEntry> IntegerOperators();
std::span<const OperatorEntry> LinearOperators();
std::span<const OperatorEntry> LookupOperators();
std::span<const OperatorEntry> MaskingOperators();
std::span<const OperatorEntry> NormalizationOperators();
std::span<const OperatorEntry> PoolingOperators();
std::span<const OperatorEntry> QuantizationOperators();
std::span<const OperatorEntry> RecurrentOperators();
std::span<const OperatorEntry> ReductionOperators();
std::span<const OperatorEntry> ResizeOperators();
std::span<const OperatorEntry> RotaryOperators();
std::span<const OperatorEntry> ShapeOperators();

// Those of the domain com.microsoft.
std::span<const OperatorEntry> MicrosoftIntegerOperators();
std::span<const OperatorEntry> MicrosoftLinearOperators();
std::span<const OperatorEntry> MicrosoftRotaryOperators();
std::span<const OperatorEntry> MicrosoftTransformerOperators();

// The entry for `name` in `domain`, which is "" for ONNX's own; null if there is none.
const OperatorEntry* FindOperator(absl::string_view domain, absl::string_view name);
// The names of all of them but those that are refused.
std::vector<absl::string_view> OperatorNames(absl::string_view domain);

// Whether each element of what ONNX's own operator `name` gives follows from those at its place in
// the inputs, which are stretched to each other.
bool IsElementwise(absl::string_view name);

}  // namespace octet::onnx
