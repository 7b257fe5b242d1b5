// SPDX-License-Identifier: Apache-2.0
// The classification extension: an output's largest elements as text, instead of the tensor.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "server/scheduling/request.h"

namespace octet {

// What is asked of one output of an answer.
struct OutputClasses {
  std::int64_t count = 0;  // 0: the tensor as it is
  // Of a row's elements; used where there are just as many. Borrowed from the model.
  std::span<const std::string> labels = {};
};

// Whether `count` classes, at least 1, can be asked of `output`, as far as its signature tells: a
// dimension that a request chooses is looked at by Classify. With `has_rows`, the first dimension
// is one of rows, each of which has classes of its own.
// Returns INVALID_ARGUMENT for a datatype that is no whole number, FP32 or FP64, and for more
// classes than a row has elements.
absl::Status CheckClasses(const TensorSignature& output, bool has_rows, std::int64_t count);

// Puts in place of each output of which classes are wanted a BYTES tensor of shape [rows, count],
// or [count] without rows: the largest elements of a row, the larger first and of equals the first,
// NaN last, each "value:index" or "value:index:label". The index counts through the whole row, and
// a value that is no whole number has six decimals.
//
// `wanted` has an entry for each output. Precondition: CheckClasses is OK for each.
// Returns INVALID_ARGUMENT as CheckClasses, and RESOURCE_EXHAUSTED for more than `max_bytes` of
// text; the answer is of no use then.
absl::Status Classify(std::span<const OutputClasses> wanted, bool has_rows, std::size_t max_bytes,
                      InferenceAnswer& answer);

}  // namespace octet
