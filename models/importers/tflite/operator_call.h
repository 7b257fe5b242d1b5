// SPDX-License-Identifier: Apache-2.0
// One operator of a TensorFlow Lite model while it is translated.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/bundle/bundle.h"
#include "models/importers/graph_builder.h"
#include "models/importers/tflite/model_file.h"
#include "models/importers/tflite/profile.h"
#include "models/importers/tflite/stored_constant.h"

namespace octet::tflite {

// What is known of a tensor.
struct TensorState {
  enum class Kind {
    kUnknown,
    kValue,     // an input of the model, or what an operator computed
    kConstant,  // what an operator made of constants; those of the file are kUnknown
    kShape,     // computed from a shape: only a RESHAPE may look at it, and reads its own output
    kFailed,    // of an operator that was refused
  };
  Kind kind = Kind::kUnknown;
  ValueId value = kNoValue;
  ConstantTensor constant;
};

// What is shared by all operators of a model.
struct Translation {
  Translation(const OperatorRegistry& operators, const ModelFile& model_file, Profile its_profile,
              std::int64_t most_constant_bytes)
      : graph(operators),
        file(model_file),
        profile(std::move(its_profile)),
        tensors(model_file.tensors.size()),
        constant_bytes_left(most_constant_bytes) {}

  GraphBuilder graph;
  const ModelFile& file;
  const Profile profile;
  std::vector<TensorState> tensors;
  std::vector<octet::Layer> layers;
  std::int64_t batch = 1;  // the number of rows for which the file was written
  // Many operators may use one large constant, each in a layout of its own.
  std::int64_t constant_bytes_left;
};

// Activations of uint8 are int8 in the graph, 128 less, and so are their zero points.
class OperatorCall {
 public:
  // Borrows both.
  OperatorCall(Translation& translation, const StoredOperator& stored)
      : translation_(translation), stored_(stored) {}

  [[nodiscard]] Translation& translation() const { return translation_; }
  [[nodiscard]] GraphBuilder& graph() const { return translation_.graph; }
  // Whose arithmetic what computes with `tensor` follows.
  [[nodiscard]] Profile ProfileOf(const StoredTensor& tensor) const {
    const bool is_int16 = tensor.data_type == DataType::kInt16;
    return is_int16 ? translation_.profile.OfInt16() : translation_.profile;
  }

  // The operator's options, as the table that its kind has; nullptr where the file has none.
  template <typename Options>
  [[nodiscard]] const Options* options() const {
    return stored_.options->builtin_options_as<Options>();
  }

  // The name for a node: that of the operator's first output, or a name below it.
  [[nodiscard]] std::string Name(absl::string_view part = "") const;

  [[nodiscard]] std::size_t num_inputs() const { return stored_.inputs.size(); }
  [[nodiscard]] std::size_t num_outputs() const { return stored_.outputs.size(); }
  [[nodiscard]] bool HasInput(std::size_t index) const {
    return index < stored_.inputs.size() && stored_.inputs[index] >= 0;
  }
  // nullptr for an intermediate that the file does not have.
  [[nodiscard]] const StoredTensor* intermediate(std::size_t index) const;
  // INVALID_ARGUMENT unless there are so many inputs, of which the first `at_least` are given, and
  // `outputs` outputs.
  [[nodiscard]] absl::Status CheckCounts(std::size_t at_least, std::size_t at_most,
                                         std::size_t outputs = 1) const;

  // Preconditions for all below: HasInput(index), or index < num_outputs().
  [[nodiscard]] const StoredTensor& input(std::size_t index) const;
  [[nodiscard]] const StoredTensor& output(std::size_t index) const;

  // Whether input `index` is known now.
  [[nodiscard]] bool IsConstant(std::size_t index) const;
  // Whether it was computed from the shape of an activation.
  [[nodiscard]] bool IsShape(std::size_t index) const;
  // Whether it, or output `index`, is an int8, uint8 or int16 tensor of quantized numbers.
  [[nodiscard]] bool IsQuantized(std::size_t index) const;
  [[nodiscard]] bool IsQuantizedOutput(std::size_t index) const;
  // Whether it is such a tensor of int16.
  [[nodiscard]] bool IsInt16(std::size_t index) const;

  // An activation. INVALID_ARGUMENT for a constant, and where nothing computed it yet.
  [[nodiscard]] absl::StatusOr<ValueId> Activation(std::size_t index) const;
  // An activation as it is, quantized, or a quantized constant: as a value of the graph.
  // Precondition: IsQuantized(index).
  [[nodiscard]] absl::StatusOr<ValueId> QuantizedOperand(std::size_t index) const;
  // An activation as float32, dequantized where it is quantized, or a float32 constant.
  // UNIMPLEMENTED for int16, whose results are those of TensorFlow Lite's integers or none, but
  // where the operator is `exact` for them.
  enum class Int16Operand { kRefused, kExact };
  [[nodiscard]] absl::StatusOr<ValueId> FloatOperand(
      std::size_t index, Int16Operand int16 = Int16Operand::kRefused) const;

  // A constant as it is stored; float16 and bfloat16 widened to float32. RESOURCE_EXHAUSTED where
  // the model's operators together read more than they may.
  [[nodiscard]] absl::StatusOr<ConstantTensor> Constant(std::size_t index) const;
  // The same as real numbers.
  [[nodiscard]] absl::StatusOr<ConstantTensor> FloatConstant(std::size_t index) const;
  // A constant of int32 or int64 with at most `most` elements: axes, sizes.
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Integers(
      std::size_t index, std::size_t most = kMaxRank) const;
  // `axis` of a tensor of `rank` dimensions, counted from the front. UNIMPLEMENTED for that of the
  // batch.
  [[nodiscard]] static absl::StatusOr<std::int64_t> Axis(std::int64_t axis, std::size_t rank);
  // A constant of the graph, called after the operator and `part`.
  [[nodiscard]] ValueId AddConstant(absl::string_view part, ConstantTensor constant) const;

  // Emits a node called after the operator.
  [[nodiscard]] absl::StatusOr<ValueId> Emit(const std::string& op, std::vector<ValueId> inputs,
                                             Attributes attributes = {},
                                             absl::string_view part = "") const;
  // `value`, which is quantized, with the quantization of `tensor`; as it is where it has it.
  [[nodiscard]] absl::StatusOr<ValueId> Requantized(ValueId value, const StoredTensor& tensor,
                                                    absl::string_view part = "") const;
  // `value` reshaped as output `index` is declared.
  [[nodiscard]] absl::StatusOr<ValueId> ReshapedAsDeclared(ValueId value, std::size_t index) const;

  // Makes `value` output `index`. INVALID_ARGUMENT where it has not the type that the file declares
  // for it; a quantization that differs is one that the operator may not change.
  [[nodiscard]] absl::Status SetOutput(std::size_t index, ValueId value) const;
  // The same for float32 numbers, quantized if the output is.
  [[nodiscard]] absl::Status SetFloatOutput(std::size_t index, ValueId value) const;
  // The same for what was computed from constants alone.
  [[nodiscard]] absl::Status SetConstantOutput(std::size_t index, ConstantTensor constant) const;
  void SetShapeOutput(std::size_t index) const;

  template <typename... Parts>
  [[nodiscard]] static absl::Status Invalid(const Parts&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(parts...));
  }
  template <typename... Parts>
  [[nodiscard]] static absl::Status Unimplemented(const Parts&... parts) {
    return absl::UnimplementedError(absl::StrCat(parts...));
  }

 private:
  [[nodiscard]] const TensorState& State(std::size_t index) const;
  [[nodiscard]] TensorState& OutputState(std::size_t index) const;
  [[nodiscard]] absl::Status ChargeConstant(std::size_t index) const;

  Translation& translation_;
  const StoredOperator& stored_;
};

// The quantization of `tensor`, an activation, as the attributes `scale` and `zero_point`, or with
// `prefix` "output_".
absl::StatusOr<Attributes> QuantizationAttributes(const StoredTensor& tensor,
                                                  absl::string_view prefix = "");
// The same with `to`, as Quantize and Requantize have it.
absl::StatusOr<Attributes> QuantizeAttributes(const StoredTensor& tensor);

}  // namespace octet::tflite
