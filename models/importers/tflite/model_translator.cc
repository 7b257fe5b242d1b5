// SPDX-License-Identifier: Apache-2.0

#include "models/importers/tflite/model_translator.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

constexpr std::int64_t kReshape = 22;
// In one message.
constexpr std::size_t kMostErrors = 20;
constexpr std::size_t kMostNames = 6;  // of an operator's tensors, in a message

class ModelTranslator {
 public:
  explicit ModelTranslator(Translation& translation)
      : translation_(translation), file_(translation.file) {
    for (const Translator& translator : BuiltInTranslators()) {
      translators_.emplace(translator.code, translator.translate);
    }
  }

  absl::StatusOr<Graph> Run() {
    RETURN_IF_ERROR(AddInputs());
    for (std::size_t i = 0; i < file_.operators.size(); ++i) RETURN_IF_ERROR(Operator(i));
    if (num_errors_ != 0) return Errors();
    return Finish();
  }

 private:
  TensorState& State(std::int32_t tensor) {
    return translation_.tensors[static_cast<std::size_t>(tensor)];
  }
  [[nodiscard]] const StoredTensor& Tensor(std::int32_t tensor) const {
    return file_.tensors[static_cast<std::size_t>(tensor)];
  }

  absl::Status AddInputs() {
    const StoredTensor& first = Tensor(file_.inputs[0]);
    translation_.batch = first.dims.empty() ? 0 : first.dims[0];
    for (std::size_t i = 0; i < file_.inputs.size(); ++i) {
      const StoredTensor& tensor = Tensor(file_.inputs[i]);
      if (tensor.dims.empty() || tensor.dims[0] != translation_.batch || translation_.batch == 0) {
        return absl::UnimplementedError(
            absl::StrCat("input ", i, " ", Describe(tensor),
                         ": wants a batch as dimension 0, in all inputs the same"));
      }
      if (!tensor.data_type.has_value() || !tensor.data.empty() || tensor.is_variable ||
          State(file_.inputs[i]).kind != TensorState::Kind::kUnknown) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", i, " ", Describe(tensor),
                         ": is of a type that we do not have, a constant, or given twice"));
      }
      RETURN_IF_ERROR(AddInput(file_.inputs[i]));
    }
    return absl::OkStatus();
  }

  // Of any number of rows, with the element type that the file says.
  TensorType DeclaredType(const StoredTensor& tensor) {
    TensorType type{*tensor.data_type, {Dim(kRows)}, std::nullopt};
    for (std::size_t i = 1; i < tensor.dims.size(); ++i) {
      const bool is_open = !tensor.signature.empty() && tensor.signature[i] == -1;
      type.shape.push_back(is_open ? translation_.graph.OpenDimension(OpenName(tensor, i))
                                   : Dim(tensor.dims[i]));
    }
    return type;
  }

  absl::Status AddInput(std::int32_t index) {
    const StoredTensor& tensor = Tensor(index);
    TensorType type = DeclaredType(tensor);
    if (!IsQuantizedTensor(tensor)) {
      State(index) = {TensorState::Kind::kValue, AddNamedInput(tensor, std::move(type)), {}};
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const TensorQuantization quantization, ActivationQuantization(tensor));
    if (type.data_type != DataType::kUint8) type.quantization = quantization;
    ValueId value = AddNamedInput(tensor, std::move(type));
    if (tensor.data_type == DataType::kUint8) {
      ASSIGN_OR_RETURN(Attributes attributes, QuantizationAttributes(tensor));
      ASSIGN_OR_RETURN(value,
                       translation_.graph.Emit("Quantize", absl::StrCat(InputName(tensor), "/int8"),
                                               {value}, std::move(attributes)));
    }
    State(index) = {TensorState::Kind::kValue, value, {}};
    return absl::OkStatus();
  }

  // After an operator that failed its outputs are taken for what the file says they are, so that
  // those behind it are looked at too. The graph is of no use any more.
  void StandIn(std::int32_t index) {
    const StoredTensor& tensor = Tensor(index);
    State(index) = {TensorState::Kind::kFailed, kNoValue, {}};
    if (!tensor.data_type.has_value() || tensor.dims.empty() ||
        tensor.dims[0] != translation_.batch) {
      return;
    }
    static_cast<void>(AddInput(index));  // or it stays as it is
  }

  static std::string InputName(const StoredTensor& tensor) {
    constexpr std::size_t kLongestName = 1000;
    return tensor.name.empty() ? "input" : std::string(tensor.name.substr(0, kLongestName));
  }
  ValueId AddNamedInput(const StoredTensor& tensor, TensorType type) {
    return translation_.graph.AddInput(InputName(tensor), std::move(type));
  }

  // Inputs of several names may have sizes of their own.
  [[nodiscard]] std::string OpenName(const StoredTensor& tensor, std::size_t axis) const {
    const std::string prefix = file_.inputs.size() == 1 ? "" : absl::StrCat(InputName(tensor), "/");
    const std::size_t rank = tensor.dims.size();
    if (rank == 3 && axis == 1) return absl::StrCat(prefix, "length");
    if (rank == 4 && axis == 1) return absl::StrCat(prefix, "height");
    if (rank == 4 && axis == 2) return absl::StrCat(prefix, "width");
    return absl::StrCat(prefix, "dim_", axis);
  }

  absl::Status Operator(std::size_t index) {
    const StoredOperator& stored = file_.operators[index];
    const auto is_failed = [this](std::int32_t tensor) {
      return tensor >= 0 && State(tensor).kind == TensorState::Kind::kFailed;
    };
    absl::Status status = absl::OkStatus();
    if (std::none_of(stored.inputs.begin(), stored.inputs.end(), is_failed)) {
      status = Translated(stored);
      if (absl::IsResourceExhausted(status)) return status;
      if (!status.ok()) AddError(index, status);
    } else {
      status = absl::UnknownError("an input failed");  // which has been told
    }
    if (status.ok()) return status;
    for (const std::int32_t output : stored.outputs) StandIn(output);
    return absl::OkStatus();
  }

  absl::Status Translated(const StoredOperator& stored) {
    for (const std::int32_t output : stored.outputs) {
      if (State(output).kind == TensorState::Kind::kUnknown && Tensor(output).data.empty()) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "output ", Describe(Tensor(output)), " is a constant, an input, or computed twice"));
    }
    if (stored.code != kReshape && IsOfShapes(stored)) {
      for (const std::int32_t output : stored.outputs) {
        State(output) = {TensorState::Kind::kShape, kNoValue, {}};
      }
      return absl::OkStatus();
    }
    const auto translator = translators_.find(stored.code);
    if (translator == translators_.end()) {
      return absl::UnimplementedError("an operator that we do not have");
    }
    OperatorCall call(translation_, stored);
    return translator->second(call);
  }

  // Whether it computes with shapes, and constants, alone.
  bool IsOfShapes(const StoredOperator& stored) {
    bool has_shape = false;
    for (const std::int32_t input : stored.inputs) {
      if (input < 0) continue;
      const TensorState::Kind kind = State(input).kind;
      if (kind == TensorState::Kind::kValue) return false;
      has_shape = has_shape || kind == TensorState::Kind::kShape;
    }
    return has_shape;
  }

  [[nodiscard]] std::string Names(std::span<const std::int32_t> tensors) const {
    std::vector<std::string> names;
    for (const std::int32_t tensor : tensors) {
      if (names.size() == kMostNames) {
        names.emplace_back("...");
        break;
      }
      names.push_back(tensor < 0 ? "none" : Quoted(Tensor(tensor).name));
    }
    return absl::StrJoin(names, ", ");
  }

  void AddError(std::size_t index, const absl::Status& status) {
    ++num_errors_;
    if (!absl::IsUnimplemented(status)) is_only_unimplemented_ = false;
    if (errors_.size() >= kMostErrors) return;
    const StoredOperator& stored = file_.operators[index];
    errors_.push_back(absl::StrCat("operator ", index, " ", stored.Name(), " (",
                                   Names(stored.inputs), " -> ", Names(stored.outputs),
                                   "): ", status.message()));
  }

  absl::Status Errors() const {
    std::string message =
        num_errors_ == 1 ? errors_.front()
                         : absl::StrCat(num_errors_, " operators: ", absl::StrJoin(errors_, "; "));
    if (num_errors_ > errors_.size()) {
      message += absl::StrCat("; and ", num_errors_ - errors_.size(), " more");
    }
    return {is_only_unimplemented_ ? absl::StatusCode::kUnimplemented
                                   : absl::StatusCode::kInvalidArgument,
            message};
  }

  absl::StatusOr<Graph> Finish() {
    std::vector<ValueId> values;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < file_.outputs.size(); ++i) {
      const StoredTensor& tensor = Tensor(file_.outputs[i]);
      const TensorState& state = State(file_.outputs[i]);
      if (state.kind != TensorState::Kind::kValue) {
        return absl::InvalidArgumentError(
            absl::StrCat("output ", i, " ", Describe(tensor), ": no operator computes it"));
      }
      ValueId value = state.value;
      if (tensor.data_type == DataType::kUint8 && IsQuantizedTensor(tensor)) {
        ASSIGN_OR_RETURN(Attributes attributes, QuantizationAttributes(tensor));
        attributes["to"] = std::string("UINT8");
        ASSIGN_OR_RETURN(
            value, translation_.graph.Emit("Requantize", absl::StrCat(InputName(tensor), "/uint8"),
                                           {value}, std::move(attributes)));
      }
      values.push_back(value);
      names.push_back(tensor.name.empty() ? "output" : InputName(tensor));
    }
    return translation_.graph.Finish(values, names);
  }

  Translation& translation_;
  const ModelFile& file_;
  std::map<std::int64_t, Translate> translators_;
  std::vector<std::string> errors_;
  std::size_t num_errors_ = 0;
  bool is_only_unimplemented_ = true;
};

}  // namespace

absl::StatusOr<Graph> TranslateModel(Translation& translation) {
  return ModelTranslator(translation).Run();
}

}  // namespace octet::tflite
