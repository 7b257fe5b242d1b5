// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/synthetic_inputs.h"

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/symbol_binding.h"
#include "models/tensor/shape.h"

namespace octet {
namespace {

// The same values each time.
void FillWithNoise(Tensor& tensor) {
  std::uint32_t state = 1;
  const auto next = [&state] { return (state = state * 1664525U + 1013904223U) >> 24U; };
  if (tensor.data_type() == DataType::kFloat32) {
    for (float& value : tensor.as<float>()) value = static_cast<float>(next()) / 128.0F - 1.0F;
  } else if (tensor.data_type() == DataType::kInt8 || tensor.data_type() == DataType::kInt16) {
    for (std::byte& byte : tensor.bytes()) byte = static_cast<std::byte>(next());
  }
}

}  // namespace

absl::StatusOr<std::vector<Tensor>> MakeSyntheticInputs(std::span<const TensorType> types,
                                                        std::size_t num_symbols, std::int64_t rows,
                                                        std::size_t max_byte_size) {
  std::vector<std::int64_t> symbols(num_symbols, kTypicalSymbol);
  symbols[static_cast<std::size_t>(kRows.index)] = rows;
  std::vector<Tensor> inputs;
  for (const TensorType& type : types) {
    Dims dims;
    for (const Dim& dim : type.shape) dims.push_back(dim.Evaluate(symbols));
    RETURN_IF_ERROR(CheckedNumElements(dims).status());
    const std::size_t byte_size = ByteSize(type.data_type, dims);
    if (byte_size > max_byte_size) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "an input would have ", byte_size, " bytes, at most ", max_byte_size, " are allowed"));
    }
    FillWithNoise(inputs.emplace_back(type.data_type, std::move(dims)));
  }
  return inputs;
}

}  // namespace octet
