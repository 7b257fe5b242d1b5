// SPDX-License-Identifier: Apache-2.0
#include "client/cli/input_files.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <system_error>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/cli/npy.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

template <typename From>
absl::Status DoesNotFit(std::size_t index, From element, DataType type) {
  return absl::InvalidArgumentError(absl::StrCat("element ", index, " is ", element,
                                                 ", which does not fit ", DataTypeName(type)));
}

template <typename To, typename From>
absl::Status ConvertElements(const Tensor& from, Tensor& to) {
  const auto source = from.as<From>();
  const auto target = to.as<To>();
  for (std::size_t i = 0; i < source.size(); ++i) {
    const auto converted = static_cast<To>(source[i]);
    if constexpr (std::is_integral_v<To>) {
      if (static_cast<From>(converted) != source[i] || (converted < To{}) != (source[i] < From{})) {
        return DoesNotFit(i, source[i], to.data_type());
      }
    } else {
      if (std::isinf(converted) && !std::isinf(static_cast<double>(source[i]))) {
        return DoesNotFit(i, source[i], to.data_type());
      }
    }
    target[i] = converted;
  }
  return absl::OkStatus();
}

template <typename To>
absl::Status ConvertFrom(const Tensor& from, Tensor& to) {
  switch (from.data_type()) {
    case DataType::kInt8:
      return ConvertElements<To, std::int8_t>(from, to);
    case DataType::kUint8:
      return ConvertElements<To, std::uint8_t>(from, to);
    case DataType::kInt16:
      return ConvertElements<To, std::int16_t>(from, to);
    case DataType::kUint16:
      return ConvertElements<To, std::uint16_t>(from, to);
    case DataType::kInt32:
      return ConvertElements<To, std::int32_t>(from, to);
    case DataType::kUint32:
      return ConvertElements<To, std::uint32_t>(from, to);
    case DataType::kInt64:
      return ConvertElements<To, std::int64_t>(from, to);
    case DataType::kUint64:
      return ConvertElements<To, std::uint64_t>(from, to);
    case DataType::kFloat64:
      if constexpr (std::is_floating_point_v<To>) return ConvertElements<To, double>(from, to);
      break;
    default:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("got ", DataTypeName(from.data_type()), ", wants ",
                                                 DataTypeName(to.data_type())));
}

absl::Status Convert(const Tensor& from, Tensor& to) {
  switch (to.data_type()) {
    case DataType::kFloat32:
      return ConvertFrom<float>(from, to);
    case DataType::kInt8:
      return ConvertFrom<std::int8_t>(from, to);
    case DataType::kUint8:
      return ConvertFrom<std::uint8_t>(from, to);
    case DataType::kInt32:
      return ConvertFrom<std::int32_t>(from, to);
    case DataType::kInt64:
      return ConvertFrom<std::int64_t>(from, to);
    default:
      return absl::InvalidArgumentError(absl::StrCat("got ", DataTypeName(from.data_type()),
                                                     ", wants ", DataTypeName(to.data_type())));
  }
}

// The dimensions that the model sees for a file of `dims`.
absl::StatusOr<Dims> FittingDims(const Dims& dims, const InputSpecification& input) {
  if (input.dims.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got shape ", ToString(dims), ", but the model's input has no rows"));
  }
  if (dims.empty() || dims[0] == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("got shape ", ToString(dims), ", wants rows of shape ", ToString(input.dims)));
  }
  const auto fits = [](std::int64_t got, std::int64_t want) { return want == -1 || got == want; };
  if (std::equal(dims.begin(), dims.end(), input.dims.begin(), input.dims.end(), fits)) {
    return dims;
  }
  Dims result = input.dims;
  result[0] = dims[0];
  // Fails for a shape that is still open, too.
  const absl::StatusOr<std::int64_t> num_elements = CheckedNumElements(result);
  if (!num_elements.ok() || *num_elements != NumElements(dims)) {
    return absl::InvalidArgumentError(
        absl::StrCat("got shape ", ToString(dims), ", wants ", ToString(input.dims)));
  }
  return result;
}

absl::StatusOr<Tensor> Fit(Tensor file, const InputSpecification& input) {
  ASSIGN_OR_RETURN(Dims dims, FittingDims(file.dims(), input));
  Tensor tensor(input.data_type, std::move(dims));
  if (file.data_type() == input.data_type) {
    std::memcpy(tensor.bytes().data(), file.bytes().data(), file.bytes().size());
    return tensor;
  }
  RETURN_IF_ERROR(Convert(file, tensor));
  return tensor;
}

std::string Names(const std::vector<InputSpecification>& inputs) {
  return absl::StrJoin(inputs, ", ", [](std::string* out, const InputSpecification& input) {
    absl::StrAppend(out, "\"", input.name, "\"");
  });
}

// Whether an argument for a model's one input means NAME=FILE, not a file with '=' in its name.
bool IsUnknownName(const std::string& argument) {
  std::error_code ignored;
  return argument.find('=') != std::string::npos && !std::filesystem::exists(argument, ignored);
}

}  // namespace

absl::StatusOr<std::vector<Tensor>> ReadInputFiles(const std::vector<std::string>& arguments,
                                                   const std::vector<InputSpecification>& inputs) {
  std::map<std::string, std::string> file_by_name;
  for (const std::string& argument : arguments) {
    // A name may hold '=' only before the file's; a file alone may hold one too.
    const auto known = std::find_if(inputs.begin(), inputs.end(), [&](const auto& input) {
      return argument.rfind(input.name + "=", 0) == 0;
    });
    if (inputs.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--input ", argument, ": the model has no inputs, wants none"));
    }
    if (known == inputs.end() && inputs.size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--input ", argument, ": wants NAME=FILE.npy with a name among ", Names(inputs)));
    }
    if (known == inputs.end() && IsUnknownName(argument)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--input ", argument, ": no such file, and the model's input is ", Names(inputs)));
    }
    const InputSpecification& input = known == inputs.end() ? inputs.front() : *known;
    const std::string file =
        known == inputs.end() ? argument : argument.substr(input.name.size() + 1);
    if (!file_by_name.emplace(input.name, file).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--input ", argument, ": input \"", input.name, "\" is given twice"));
    }
  }
  std::vector<Tensor> tensors;
  for (const InputSpecification& input : inputs) {
    const auto file = file_by_name.find(input.name);
    if (file == file_by_name.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the model's input \"", input.name,
                                                     "\" is missing: give --input ", input.name,
                                                     "=FILE.npy"));
    }
    ASSIGN_OR_RETURN(Tensor read, ReadNpy(file->second));
    absl::StatusOr<Tensor> tensor = Fit(std::move(read), input);
    if (!tensor.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input \"", input.name, "\" from \"", file->second, "\": ", tensor.status().message()));
    }
    if (!tensors.empty() && tensors.front().dims()[0] != tensor->dims()[0]) {
      return absl::InvalidArgumentError(
          absl::StrCat("input \"", input.name, "\" has ", tensor->dims()[0], " rows, but \"",
                       inputs.front().name, "\" has ", tensors.front().dims()[0]));
    }
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

std::int64_t NumRows(const std::vector<Tensor>& tensors) {
  return tensors.empty() ? 1 : tensors.front().dims()[0];
}

std::vector<Tensor> TakeRows(const std::vector<Tensor>& tensors, std::int64_t count) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    Dims dims = tensor.dims();
    dims[0] = count;
    Tensor rows(tensor.data_type(), dims);
    const std::size_t row_bytes = rows.bytes().size() / static_cast<std::size_t>(count);
    for (std::int64_t row = 0; row < count; ++row) {
      const auto source = static_cast<std::size_t>(row % tensor.dims()[0]) * row_bytes;
      std::copy_n(tensor.bytes().begin() + static_cast<std::ptrdiff_t>(source), row_bytes,
                  rows.bytes().begin() + row * static_cast<std::ptrdiff_t>(row_bytes));
    }
    result.push_back(std::move(rows));
  }
  return result;
}

absl::StatusOr<std::vector<std::int64_t>> ReadLabels(const std::string& path,
                                                     std::int64_t num_rows) {
  ASSIGN_OR_RETURN(const Tensor file, ReadNpy(path));
  if (NumElements(file.dims()) != num_rows) {
    return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" has ", NumElements(file.dims()),
                                                   " labels for ", num_rows, " rows"));
  }
  Tensor labels(DataType::kInt64, {num_rows});
  if (file.data_type() == DataType::kInt64) {
    std::memcpy(labels.bytes().data(), file.bytes().data(), file.bytes().size());
  } else if (const absl::Status status = Convert(file, labels); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", path, "\": ", status.message()));
  }
  const auto values = labels.as<std::int64_t>();
  return std::vector<std::int64_t>(values.begin(), values.end());
}

absl::Status CheckLabels(const std::string& path, const std::vector<std::int64_t>& labels,
                         std::int64_t num_classes) {
  for (const std::int64_t label : labels) {
    if (label < 0 || label >= num_classes) {
      return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" has the label ", label,
                                                     ", wants one of ", num_classes, " classes"));
    }
  }
  return absl::OkStatus();
}

TensorView Rows(const Tensor& tensor, std::int64_t first, Dims& dims) {
  const std::size_t bytes_per_row =
      tensor.bytes().size() / static_cast<std::size_t>(tensor.dims()[0]);
  dims.assign(tensor.dims().begin(), tensor.dims().end());
  return {tensor.data_type(), dims,
          tensor.bytes().data() + static_cast<std::size_t>(first) * bytes_per_row};
}

}  // namespace octet::cli
