// SPDX-License-Identifier: Apache-2.0
// What a batch's inputs say about the open dimensions of a graph.

#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet {

// The most that a symbol may stand for: no dimension of a verified graph overflows below it.
inline constexpr std::int64_t kMaxSymbolValue = (std::int64_t{1} << 31) - 1;

// What a symbol other than rows is taken for, where nobody says.
inline constexpr std::int64_t kTypicalSymbol = 64;

// The value of each symbol for `inputs`, in the signature's order, into `symbols` (one for each of
// executable.symbol_names()). Where the signature has no inputs there is one row. Allocates nothing
// but for an error.
//
// Returns INVALID_ARGUMENT naming the input, its shape and the wanted one if the inputs do not fit
// the signature, disagree about a symbol, or give one a value below 1 or above kMaxSymbolValue.
absl::Status BindSymbols(const Executable& executable, std::span<const TensorView> inputs,
                         std::span<std::int64_t> symbols);

// How many positions `inputs`, which fit the signature, have: rows times the open dimensions of an
// input, tokens as a rule, of that input which has the most.
std::int64_t CountPositions(const Executable& executable, std::span<const TensorView> inputs);
// Of one row whose open dimensions are typical.
std::int64_t TypicalPositions(const Executable& executable);

}  // namespace octet
