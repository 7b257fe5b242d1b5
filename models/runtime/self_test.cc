// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"

namespace octet {
namespace {

// Numbers that print as such: a char type would print as a character.
template <typename T>
auto Printable(T value) {
  if constexpr (std::is_same_v<T, std::int8_t> || std::is_same_v<T, std::uint8_t>) {
    return static_cast<int>(value);
  } else {
    return value;
  }
}

template <typename T>
absl::Status Differs(const std::string& name, std::size_t index, T got, T wants) {
  return absl::FailedPreconditionError(absl::StrCat("self-test: output \"", name, "\" element ",
                                                    index, ": got ", Printable(got), ", wants ",
                                                    Printable(wants)));
}

template <typename T>
absl::Status CompareExactly(const std::string& name, const Tensor& got, const Tensor& wants) {
  const std::span<const T> a = got.as<T>();
  const std::span<const T> b = wants.as<T>();
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at == a.end() && other == b.end()) return absl::OkStatus();
  const auto index = static_cast<std::size_t>(at - a.begin());
  return Differs(name, index, a[index], b[index]);
}

template <typename T>
absl::Status CompareWithin(const std::string& name, const Tensor& got, const Tensor& wants,
                           double tolerance) {
  const std::span<const T> a = got.as<T>();
  const std::span<const T> b = wants.as<T>();
  double largest = 0;
  for (const T value : b) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  const double bound = tolerance * largest;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (std::isnan(b[i]) && std::isnan(a[i])) continue;
    if (a[i] == b[i]) continue;  // infinities too
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= bound)) return Differs(name, i, a[i], b[i]);
  }
  return absl::OkStatus();
}

absl::Status Compare(const std::string& name, const Tensor& got, const Tensor& wants,
                     double tolerance) {
  switch (wants.data_type()) {
    case DataType::kBool:
    case DataType::kUint8:
      return CompareExactly<std::uint8_t>(name, got, wants);
    case DataType::kInt8:
      return CompareExactly<std::int8_t>(name, got, wants);
    case DataType::kInt16:
      return CompareExactly<std::int16_t>(name, got, wants);
    case DataType::kUint16:
      return CompareExactly<std::uint16_t>(name, got, wants);
    case DataType::kInt32:
      return CompareExactly<std::int32_t>(name, got, wants);
    case DataType::kUint32:
      return CompareExactly<std::uint32_t>(name, got, wants);
    case DataType::kInt64:
      return CompareExactly<std::int64_t>(name, got, wants);
    case DataType::kUint64:
      return CompareExactly<std::uint64_t>(name, got, wants);
    case DataType::kFloat32:
      return CompareWithin<float>(name, got, wants, tolerance);
    case DataType::kFloat64:
      return CompareWithin<double>(name, got, wants, tolerance);
    case DataType::kInt4:
    case DataType::kUint4:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      break;
  }
  return absl::UnimplementedError(absl::StrCat("self-test: output \"", name, "\" is ",
                                               DataTypeName(wants.data_type()),
                                               ", which is not compared"));
}

}  // namespace

absl::Status RunSelfTest(Session& session, std::span<const Tensor> inputs,
                         std::span<const Tensor> expected, double tolerance) {
  const Executable& executable = session.executable();
  const std::vector<TensorSignature>& signature = executable.outputs();
  if (inputs.size() != executable.inputs().size() || expected.size() != signature.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "self-test: has ", inputs.size(), " inputs and ", expected.size(), " outputs, the model ",
        executable.inputs().size(), " and ", signature.size()));
  }
  std::vector<TensorView> views;
  views.reserve(inputs.size());
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<Dims> dims;
  RETURN_IF_ERROR(session.OutputDims(views, dims));

  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  outputs.reserve(signature.size());
  for (std::size_t i = 0; i < signature.size(); ++i) {
    const DataType type = signature[i].type.data_type;
    if (expected[i].data_type() != type || expected[i].dims() != dims[i]) {
      return absl::InvalidArgumentError(
          absl::StrCat("self-test: output \"", signature[i].name, "\" is stored as ",
                       DataTypeName(expected[i].data_type()), " ", ToString(expected[i].dims()),
                       ", the model gives ", DataTypeName(type), " ", ToString(dims[i])));
    }
    outputs.emplace_back(type, dims[i]);
    output_views.push_back(outputs.back().mutable_view());
  }
  RETURN_IF_ERROR(session.Run(views, output_views));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    RETURN_IF_ERROR(Compare(signature[i].name, outputs[i], expected[i], tolerance));
  }
  return absl::OkStatus();
}

}  // namespace octet
