// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_validation.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"
#include "server/inference/classification.h"

namespace octet {
namespace {

std::string Names(const std::vector<TensorSignature>& tensors) {
  if (tensors.empty()) return "none";
  return absl::StrJoin(tensors, ", ", [](std::string* out, const TensorSignature& tensor) {
    absl::StrAppend(out, "\"", tensor.name, "\"");
  });
}

std::optional<std::size_t> Find(const std::vector<TensorSignature>& tensors,
                                absl::string_view name) {
  const auto it = std::find_if(tensors.begin(), tensors.end(),
                               [&](const TensorSignature& tensor) { return tensor.name == name; });
  if (it == tensors.end()) return std::nullopt;
  return static_cast<std::size_t>(it - tensors.begin());
}

// Dimensions of a request in a message: an absurd number of them is cut.
std::string ShapeText(const Dims& dims) {
  constexpr std::size_t kMostDims = 16;
  if (dims.size() <= kMostDims) return ToString(dims);
  return absl::StrCat(dims.size(), " dimensions");
}

// One request's value of each symbol, with the input that gave it.
struct Binding {
  std::int64_t value = 0;
  const std::string* input = nullptr;  // null: not bound yet
};

class InputBinder {
 public:
  explicit InputBinder(const Executable& executable)
      : executable_(executable), bindings_(executable.symbol_names().size() + 1) {}

  absl::Status Bind(const TensorSignature& wanted, const RequestInput& input) {
    RETURN_IF_ERROR(CheckType(wanted, input));
    RETURN_IF_ERROR(CheckDims(wanted, input));
    ASSIGN_OR_RETURN(const std::int64_t elements, CheckElements(input));
    const std::size_t width = BitWidth(wanted.type.data_type) / 8;
    const std::size_t bytes =
        width == 0 ? ByteSize(wanted.type.data_type, input.dims)  // two elements a byte
                   : static_cast<std::size_t>(elements) * width;
    if (input.data.size() != bytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input ", Quoted(input.name), ": got ", input.data.size(), " bytes of data, shape ",
          ShapeText(input.dims), " of ", DataTypeName(wanted.type.data_type), " wants ", bytes));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] std::int64_t rows() const {
    return bindings_[0].input == nullptr ? 1 : bindings_[0].value;
  }

 private:
  static absl::Status CheckType(const TensorSignature& wanted, const RequestInput& input) {
    const absl::string_view type = DataTypeName(wanted.type.data_type);
    if (input.data_type == type) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(input.name), ": got datatype ",
                                                   Quoted(input.data_type), ", the model wants ",
                                                   type));
  }

  [[nodiscard]] std::string WantedShape(const TensorSignature& wanted) const {
    return ToString(wanted.type.shape, executable_.symbol_names());
  }

  absl::Status CheckDims(const TensorSignature& wanted, const RequestInput& input) {
    const Shape& shape = wanted.type.shape;
    for (const std::int64_t dim : input.dims) {
      if (dim == -1) {
        return absl::InvalidArgumentError(absl::StrCat(
            "input ", Quoted(input.name), ": shape ", ShapeText(input.dims),
            " holds -1; a request gives every dimension, wants ", WantedShape(wanted)));
      }
      if (dim < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", Quoted(input.name), ": shape ", ShapeText(input.dims),
                         " holds a negative dimension, wants ", WantedShape(wanted)));
      }
    }
    if (input.dims.size() != shape.size()) {
      const bool lacks_batch = input.dims.size() + 1 == shape.size() && !shape[0].is_constant();
      return absl::InvalidArgumentError(absl::StrCat(
          "input ", Quoted(input.name), ": got shape ", ShapeText(input.dims), ", wants ",
          WantedShape(wanted),
          lacks_batch ? "; the first dimension is the number of rows, also for one" : ""));
    }
    for (std::size_t i = 0; i < shape.size(); ++i) {
      RETURN_IF_ERROR(CheckDim(wanted, input, i));
    }
    return absl::OkStatus();
  }

  absl::Status CheckDim(const TensorSignature& wanted, const RequestInput& input,
                        std::size_t axis) {
    const Dim& dim = wanted.type.shape[axis];
    const std::int64_t got = input.dims[axis];
    if (dim.is_constant()) {
      if (got == dim.value()) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(input.name), ": got shape ", ShapeText(input.dims),
                       ", wants ", WantedShape(wanted), "; dimension ", axis, " is fixed"));
    }
    // Anything but a plain symbol is left to the Session, which knows all of them.
    if (dim != Dim(dim.symbol())) return absl::OkStatus();
    const auto symbol = static_cast<std::size_t>(dim.symbol().index);
    const std::int64_t most = symbol == 0 ? kMaxRequestRows : std::int64_t{1} << 40;
    if (got < 1 || got > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(input.name), ": got shape ", ShapeText(input.dims),
                       ", dimension ", axis, symbol == 0 ? " (rows)" : "", " wants 1 to ", most));
    }
    if (symbol >= bindings_.size()) return absl::OkStatus();
    Binding& binding = bindings_[symbol];
    if (binding.input != nullptr && binding.value != got) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(input.name), ": dimension ", axis, " is ", got,
                       ", but input ", Quoted(*binding.input), " says ", binding.value,
                       "; both are the same ", symbol == 0 ? "number of rows" : "open dimension"));
    }
    binding = {got, &input.name};
    return absl::OkStatus();
  }

  static absl::StatusOr<std::int64_t> CheckElements(const RequestInput& input) {
    absl::StatusOr<std::int64_t> elements = CheckedNumElements(input.dims);
    if (elements.ok()) return elements;
    return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(input.name), ": got shape ",
                                                   ShapeText(input.dims),
                                                   ", which has too many elements for any tensor"));
  }

  const Executable& executable_;
  std::vector<Binding> bindings_;
};

absl::Status BindInputs(const Executable& executable, InferenceRequest& request) {
  const std::vector<TensorSignature>& wanted = executable.inputs();
  std::vector<const RequestInput*> given(wanted.size());
  for (const RequestInput& input : request.inputs) {
    const std::optional<std::size_t> index = Find(wanted, input.name);
    if (!index) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input ", Quoted(input.name), " is unknown, the model wants ", Names(wanted)));
    }
    if (given[*index] != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(input.name), " is given twice, wants it once"));
    }
    given[*index] = &input;
  }
  std::vector<TensorSignature> missing;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (given[i] == nullptr) missing.push_back(wanted[i]);
  }
  if (!missing.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", request.inputs.size(),
                                                   " inputs, the model wants ", wanted.size(),
                                                   "; missing: ", Names(missing)));
  }
  InputBinder binder(executable);
  request.bound_inputs.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    RETURN_IF_ERROR(binder.Bind(wanted[i], *given[i]));
    request.bound_inputs.push_back(
        {wanted[i].type.data_type, given[i]->dims, given[i]->data.data()});
  }
  request.rows = binder.rows();
  return absl::OkStatus();
}

// Of the outputs that are asked for as tensors.
absl::Status CheckTypedOutputs(const std::vector<TensorSignature>& offered,
                               const InferenceRequest& request) {
  for (std::size_t i = 0; i < request.output_indices.size(); ++i) {
    if (!request.outputs.empty() && request.outputs[i].num_classes > 0) continue;
    const TensorSignature& output = offered[request.output_indices[i]];
    const DataType type = output.type.data_type;
    if (type == DataType::kFloat16 || type == DataType::kBfloat16 || BitWidth(type) < 8) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", Quoted(output.name), " is of datatype ", DataTypeName(type),
                       ", which the protocol has no typed contents for; wants a request without "
                       "octet_typed_outputs, answered in raw_output_contents"));
    }
  }
  return absl::OkStatus();
}

absl::Status BindOutputs(const Executable& executable, InferenceRequest& request) {
  const std::vector<TensorSignature>& offered = executable.outputs();
  request.output_indices.clear();
  if (request.outputs.empty()) {
    for (std::size_t i = 0; i < offered.size(); ++i) request.output_indices.push_back(i);
  }
  for (const RequestedOutput& output : request.outputs) {
    const std::optional<std::size_t> index = Find(offered, output.name);
    if (!index) {
      return absl::InvalidArgumentError(absl::StrCat(
          "output ", Quoted(output.name), " is unknown, the model has ", Names(offered)));
    }
    if (std::count(request.output_indices.begin(), request.output_indices.end(), *index) > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", Quoted(output.name), " is asked for twice, wants it once"));
    }
    if (output.num_classes > 0) {
      RETURN_IF_ERROR(
          CheckClasses(offered[*index], executable.takes_batches(), output.num_classes));
    }
    request.output_indices.push_back(*index);
  }
  return request.wants_typed_outputs ? CheckTypedOutputs(offered, request) : absl::OkStatus();
}

}  // namespace

absl::Status BindRequest(const Executable& executable, InferenceRequest& request) {
  RETURN_IF_ERROR(BindInputs(executable, request));
  return BindOutputs(executable, request);
}

}  // namespace octet
