// SPDX-License-Identifier: Apache-2.0
// QUANTIZE, DEQUANTIZE and CAST.

#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

absl::Status TranslateQuantize(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  if (!call.IsQuantizedOutput(0)) {
    return OperatorCall::Unimplemented("to ", Describe(call.output(0)),
                                       ", wants INT8, UINT8 or INT16 with a scale");
  }
  ASSIGN_OR_RETURN(ValueId x, call.Activation(0));
  if (!call.IsQuantized(0)) return call.SetFloatOutput(0, x);
  // To another type, or another scale.
  ASSIGN_OR_RETURN(x, call.Requantized(x, call.output(0)));
  return call.SetOutput(0, x);
}

absl::Status TranslateDequantize(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  if (call.IsConstant(0)) {  // weights of float16, or of few bits
    ASSIGN_OR_RETURN(ConstantTensor constant, call.FloatConstant(0));
    return call.SetConstantOutput(0, std::move(constant));
  }
  ASSIGN_OR_RETURN(const ValueId value, call.FloatOperand(0, OperatorCall::Int16Operand::kExact));
  return call.SetOutput(0, value);
}

absl::Status TranslateCast(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(0));
  const StoredTensor& to = call.output(0);
  if (call.IsQuantized(0) || call.IsQuantizedOutput(0) || !to.data_type.has_value()) {
    return OperatorCall::Unimplemented("from ", Describe(call.input(0)), " to ", Describe(to),
                                       ", wants types that we have, without a scale");
  }
  ASSIGN_OR_RETURN(const ValueId value, call.graph().Cast(call.Name(), x, *to.data_type));
  return call.SetOutput(0, value);
}

}  // namespace

std::vector<Translator> TypeTranslators() {
  return {{6, TranslateDequantize}, {53, TranslateCast}, {114, TranslateQuantize}};
}

}  // namespace octet::tflite
