// SPDX-License-Identifier: Apache-2.0
// The list of operators that can be translated.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/importers/tflite/operator_call.h"

namespace octet::tflite {

// Turns one operator into nodes, and sets its outputs.
using Translate = absl::Status (*)(OperatorCall& call);

struct Translator {
  std::int64_t code;  // BuiltinOperator
  Translate translate;
};

// One list for each file.
std::vector<Translator> ElementwiseTranslators();
std::vector<Translator> RecurrentTranslators();
std::vector<Translator> ReductionTranslators();
std::vector<Translator> ShapeTranslators();
std::vector<Translator> SliceTranslators();
std::vector<Translator> TypeTranslators();
std::vector<Translator> WeightedTranslators();

// All of them.
std::vector<Translator> BuiltInTranslators();

// The name of the activation with this number in the format. UNIMPLEMENTED for SIGN_BIT,
// INVALID_ARGUMENT for a number that none has.
absl::StatusOr<std::string> FusedActivation(int number);
// Whether the result of an integer operator can be clipped to it.
bool IsClip(const std::string& activation);
// `value` with the activation behind it; as it is if that is "linear". A quantized value keeps its
// quantization.
absl::StatusOr<ValueId> Activated(OperatorCall& call, ValueId value, const std::string& activation);

// "same" or "valid".
absl::StatusOr<std::string> Padding(int number);

// INVALID_ARGUMENT: an operator without the options that it has to have.
absl::Status NoOptions();

}  // namespace octet::tflite
