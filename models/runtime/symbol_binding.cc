// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/symbol_binding.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

constexpr std::int64_t kUnbound = -1;
// More positions than memory has room for, and no sum of a few thousand overflows.
constexpr std::int64_t kMostPositions = std::int64_t{1} << 40;

std::int64_t LimitedProduct(std::int64_t a, std::int64_t b) {
  return a > kMostPositions / std::max<std::int64_t>(b, 1) ? kMostPositions : a * b;
}

absl::Status Mismatch(const TensorSignature& signature, const TensorView& got,
                      const Executable& executable) {
  return absl::InvalidArgumentError(
      absl::StrCat("input \"", signature.name, "\": got ", DataTypeName(got.data_type),
                   ToString(got.dims), ", wants ", DataTypeName(signature.type.data_type),
                   ToString(signature.type.shape, executable.symbol_names())));
}

// Of an open dimension.
std::int64_t TypicalSize(const Dim& dim) {
  return std::max<std::int64_t>((dim.scale() * kTypicalSymbol + dim.offset()) / dim.divisor(), 1);
}

}  // namespace

absl::Status BindSymbols(const Executable& executable, std::span<const TensorView> inputs,
                         std::span<std::int64_t> symbols) {
  const std::vector<TensorSignature>& signatures = executable.inputs();
  if (inputs.size() != signatures.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", inputs.size(), " inputs, wants ", signatures.size()));
  }
  std::fill(symbols.begin(), symbols.end(), kUnbound);
  // A graph without inputs has no other symbol.
  if (signatures.empty()) symbols[static_cast<std::size_t>(kRows.index)] = 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = signatures[i].type.shape;
    if (inputs[i].data_type != signatures[i].type.data_type ||
        inputs[i].dims.size() != shape.size()) {
      return Mismatch(signatures[i], inputs[i], executable);
    }
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d].is_constant() || shape[d] != Dim(shape[d].symbol())) continue;
      std::int64_t& symbol = symbols[static_cast<std::size_t>(shape[d].symbol().index)];
      if (symbol == kUnbound) symbol = inputs[i].dims[d];
      if (symbol != inputs[i].dims[d] || symbol < 1 || symbol > kMaxSymbolValue) {
        return Mismatch(signatures[i], inputs[i], executable);
      }
    }
  }
  // A verified graph gives each symbol a value above.
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = signatures[i].type.shape;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d].Evaluate(symbols) != inputs[i].dims[d]) {
        return Mismatch(signatures[i], inputs[i], executable);
      }
    }
  }
  return absl::OkStatus();
}

std::int64_t CountPositions(const Executable& executable, std::span<const TensorView> inputs) {
  std::int64_t most = 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = executable.inputs()[i].type.shape;
    std::int64_t positions = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (!shape[d].is_constant()) positions = LimitedProduct(positions, inputs[i].dims[d]);
    }
    most = std::max(most, positions);
  }
  return most;
}

std::int64_t TypicalPositions(const Executable& executable) {
  std::int64_t most = 1;
  for (const TensorSignature& input : executable.inputs()) {
    std::int64_t positions = 1;
    for (const Dim& dim : input.type.shape) {
      const bool is_open = !dim.is_constant() && dim.symbol() != kRows;
      if (is_open) positions = LimitedProduct(positions, TypicalSize(dim));
    }
    most = std::max(most, positions);
  }
  return most;
}

}  // namespace octet
