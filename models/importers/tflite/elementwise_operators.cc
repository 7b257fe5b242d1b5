// SPDX-License-Identifier: Apache-2.0
// Sums, products and functions of single elements.

#include <cmath>
#include <utility>
#include <variant>

#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

// Quantized activations are combined as integers where the graph has such an operator, else as the
// real numbers that they stand for.
absl::Status TranslateBinary(OperatorCall& call, const std::string& op, int fused_activation) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(const std::string activation, FusedActivation(fused_activation));
  const Profile profile = call.ProfileOf(call.input(0));
  const bool is_fixed_point = profile.is_fixed_point();
  const auto is_integer = [&](std::size_t i) {
    return call.IsQuantized(i) && (is_fixed_point || !call.IsConstant(i));
  };
  const bool has_integers = op == "Add" || op == "Multiply" || (op == "Subtract" && is_fixed_point);
  if (has_integers && IsClip(activation) && call.IsQuantizedOutput(0) && is_integer(0) &&
      is_integer(1)) {
    ASSIGN_OR_RETURN(Attributes attributes, QuantizationAttributes(call.output(0), "output_"));
    attributes["activation"] = activation;
    if (is_fixed_point) attributes["requantization"] = profile.requantization();
    ASSIGN_OR_RETURN(const ValueId a, call.QuantizedOperand(0));
    ASSIGN_OR_RETURN(const ValueId b, call.QuantizedOperand(1));
    ASSIGN_OR_RETURN(const ValueId value, call.Emit(op, {a, b}, std::move(attributes)));
    return call.SetOutput(0, value);
  }
  const bool is_choice = op == "Maximum" || op == "Minimum";  // of one of two numbers
  const auto int16 =
      is_choice ? OperatorCall::Int16Operand::kExact : OperatorCall::Int16Operand::kRefused;
  ASSIGN_OR_RETURN(const ValueId a, call.FloatOperand(0, int16));
  ASSIGN_OR_RETURN(const ValueId b, call.FloatOperand(1, int16));
  ASSIGN_OR_RETURN(const ValueId value, call.Emit(op, {a, b}, {{"activation", activation}}));
  return call.SetFloatOutput(0, value);
}

// ADD and SUB of int16 whose scales are all powers of two once were shifts; a file can still ask
// for that. UNIMPLEMENTED where it does.
absl::Status CheckScales(const OperatorCall& call, bool may_shift) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  if (!may_shift || !call.IsInt16(0)) return absl::OkStatus();
  for (const StoredTensor* tensor : {&call.input(0), &call.input(1), &call.output(0)}) {
    if (!IsQuantizedTensor(*tensor)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const TensorQuantization quantization, ActivationQuantization(*tensor));
    const float log2 = std::log(quantization.scale.value) * (1.0F / std::log(2.0F));
    // As near as TensorFlow Lite wants them to be.
    if (!(std::abs(log2 - std::round(log2)) < 1e-3F)) return absl::OkStatus();
  }
  return OperatorCall::Unimplemented(
      "INT16 scales that are powers of two with pot_scale_int16, wants that to be false");
}

// An operator whose options are a fused activation. They may be left out.
template <typename Options>
absl::Status TranslateFused(OperatorCall& call, const std::string& op) {
  const auto* const options = call.options<Options>();
  return TranslateBinary(call, op,
                         options == nullptr ? 0 : int{options->fused_activation_function()});
}

absl::Status TranslateAdd(OperatorCall& call) {
  const auto* const options = call.options<schema::AddOptions>();
  RETURN_IF_ERROR(CheckScales(call, options == nullptr || options->pot_scale_int16()));
  return TranslateFused<schema::AddOptions>(call, "Add");
}
absl::Status TranslateSub(OperatorCall& call) {
  const auto* const options = call.options<schema::SubOptions>();
  RETURN_IF_ERROR(CheckScales(call, options == nullptr || options->pot_scale_int16()));
  return TranslateFused<schema::SubOptions>(call, "Subtract");
}
absl::Status TranslateMul(OperatorCall& call) {
  return TranslateFused<schema::MulOptions>(call, "Multiply");
}
absl::Status TranslateDiv(OperatorCall& call) {
  return TranslateFused<schema::DivOptions>(call, "Divide");
}
absl::Status TranslateMaximum(OperatorCall& call) { return TranslateBinary(call, "Maximum", 0); }
absl::Status TranslateMinimum(OperatorCall& call) { return TranslateBinary(call, "Minimum", 0); }
absl::Status TranslatePow(OperatorCall& call) { return TranslateBinary(call, "Power", 0); }

// The functions of int16 that TensorFlow Lite has, computed in fixed point; sigmoid and tanh give
// one scale alone.
absl::Status CheckInt16Function(const OperatorCall& call, const std::string& activation) {
  const bool is_clip = activation == "relu" || activation == "relu6" || activation == "leaky_relu";
  if (is_clip) return absl::OkStatus();
  if (activation != "sigmoid" && activation != "tanh") {
    return OperatorCall::Unimplemented("of ", Describe(call.input(0)),
                                       ", wants FP32, INT8 or UINT8");
  }
  ASSIGN_OR_RETURN(const TensorQuantization output, ActivationQuantization(call.output(0)));
  if (output.scale.value == 1.0F / 32768.0F) return absl::OkStatus();
  return OperatorCall::Unimplemented("got scale ", output.scale.value, " for ",
                                     Describe(call.output(0)), ", wants 1 / 32768");
}

absl::Status TranslateFunction(OperatorCall& call, Attributes attributes) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(0));
  if (call.IsQuantized(0) != call.IsQuantizedOutput(0)) {
    return OperatorCall::Invalid("got ", Describe(call.input(0)), " and ", Describe(call.output(0)),
                                 ", wants both quantized, or none");
  }
  if (call.IsInt16(0)) {
    RETURN_IF_ERROR(CheckInt16Function(call, std::get<std::string>(attributes["activation"])));
  }
  if (call.IsQuantized(0)) {
    ASSIGN_OR_RETURN(const Attributes output, QuantizationAttributes(call.output(0), "output_"));
    attributes.insert(output.begin(), output.end());
    attributes["requantization"] = call.ProfileOf(call.input(0)).requantization();
  }
  ASSIGN_OR_RETURN(const ValueId value, call.Emit("Activation", {x}, std::move(attributes)));
  return call.SetOutput(0, value);
}

// A function without parameters, by its name in the graph.
template <char const* kName>
absl::Status TranslateNamed(OperatorCall& call) {
  return TranslateFunction(call, {{"activation", std::string(kName)}});
}
constexpr char kAbs[] = "abs";
constexpr char kElu[] = "elu";
constexpr char kExp[] = "exponential";
constexpr char kHardSwish[] = "hard_silu";
constexpr char kHardTanh[] = "hard_tanh";
constexpr char kLog[] = "log";
constexpr char kNegative[] = "negative";
constexpr char kRelu[] = "relu";
constexpr char kRelu6[] = "relu6";
constexpr char kRsqrt[] = "rsqrt";
constexpr char kSigmoid[] = "sigmoid";
constexpr char kSqrt[] = "sqrt";
constexpr char kSquare[] = "square";
constexpr char kTanh[] = "tanh";

absl::Status TranslateLeakyRelu(OperatorCall& call) {
  const auto* const options = call.options<schema::LeakyReluOptions>();
  if (options == nullptr) return NoOptions();
  return TranslateFunction(call, {{"activation", std::string("leaky_relu")},
                                  {"activation_alpha", double{options->alpha()}}});
}

absl::Status TranslateGelu(OperatorCall& call) {
  const auto* const options = call.options<schema::GeluOptions>();
  const bool is_approximate = options != nullptr && options->approximate();
  return TranslateFunction(call,
                           {{"activation", std::string(is_approximate ? "gelu_tanh" : "gelu")}});
}

absl::Status TranslatePRelu(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(const ValueId x, call.FloatOperand(0));
  ASSIGN_OR_RETURN(const ValueId alpha, call.FloatOperand(1));
  ASSIGN_OR_RETURN(const ValueId value, call.Emit("PRelu", {x, alpha}));
  return call.SetFloatOutput(0, value);
}

// Whether the profile's kernels compute it in fixed point: for one output quantization alone.
absl::StatusOr<bool> IsFixedPointSoftmax(const OperatorCall& call, const std::string& op,
                                         float beta) {
  if (op != "Softmax" || !call.ProfileOf(call.input(0)).is_fixed_point() || !call.IsQuantized(0) ||
      !call.IsQuantizedOutput(0) || !(beta > 0.0F)) {
    return false;
  }
  ASSIGN_OR_RETURN(const TensorQuantization output, ActivationQuantization(call.output(0)));
  if (call.IsInt16(0)) return output.scale.value == 1.0F / 32768.0F;
  return output.scale.value == 1.0F / 256.0F && output.zero_point.value == -128;
}

absl::Status TranslateSoftmaxOf(OperatorCall& call, const std::string& op, float beta) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  ASSIGN_OR_RETURN(const bool is_fixed_point, IsFixedPointSoftmax(call, op, beta));
  if (is_fixed_point) {
    ASSIGN_OR_RETURN(const ValueId x, call.Activation(0));
    ASSIGN_OR_RETURN(
        const ValueId value,
        call.Emit("FixedPointSoftmax", {x},
                  {{"beta", double{beta}},
                   {"requantization", call.ProfileOf(call.input(0)).requantization()}}));
    return call.SetOutput(0, value);
  }
  ASSIGN_OR_RETURN(ValueId x, call.FloatOperand(0));
  if (beta != 1.0F) {
    const ValueId factor = call.graph().AddScalar(beta);
    ASSIGN_OR_RETURN(x, call.Emit("Multiply", {x, factor}, {}, "beta"));
  }
  ASSIGN_OR_RETURN(const ValueId value, call.Emit(op, {x}));
  return call.SetFloatOutput(0, value);
}

absl::Status TranslateSoftmax(OperatorCall& call) {
  const auto* const options = call.options<schema::SoftmaxOptions>();
  if (options == nullptr) return NoOptions();
  return TranslateSoftmaxOf(call, "Softmax", options->beta());
}

absl::Status TranslateLogSoftmax(OperatorCall& call) {
  return TranslateSoftmaxOf(call, "LogSoftmax", 1.0F);
}

}  // namespace

std::vector<Translator> ElementwiseTranslators() {
  return {{0, TranslateAdd},
          {14, TranslateNamed<kSigmoid>},
          {18, TranslateMul},
          {19, TranslateNamed<kRelu>},
          {20, TranslateNamed<kHardTanh>},
          {21, TranslateNamed<kRelu6>},
          {25, TranslateSoftmax},
          {28, TranslateNamed<kTanh>},
          {41, TranslateSub},
          {42, TranslateDiv},
          {47, TranslateNamed<kExp>},
          {50, TranslateLogSoftmax},
          {54, TranslatePRelu},
          {55, TranslateMaximum},
          {57, TranslateMinimum},
          {59, TranslateNamed<kNegative>},
          {73, TranslateNamed<kLog>},
          {75, TranslateNamed<kSqrt>},
          {76, TranslateNamed<kRsqrt>},
          {78, TranslatePow},
          {92, TranslateNamed<kSquare>},
          {98, TranslateLeakyRelu},
          {101, TranslateNamed<kAbs>},
          {111, TranslateNamed<kElu>},
          {117, TranslateNamed<kHardSwish>},
          {150, TranslateGelu}};
}

}  // namespace octet::tflite
