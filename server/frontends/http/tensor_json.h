// SPDX-License-Identifier: Apache-2.0
// A tensor's elements as JSON, both ways.
//
// Whole numbers are exact to 64 bits. FP32 and FP64 are rounded once, from the decimal text to the
// type, and written as the shortest text that reads as the same number. JSON has no NaN and no
// infinity: they are the strings "NaN", "Infinity" and "-Infinity", as in protobuf's JSON. BOOL is
// true or false, BYTES a string. FP16 and BF16 have no JSON form here: they go as binary data.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "models/tensor/tensor.h"
#include "server/frontends/http/json_reader.h"
#include "server/scheduling/request.h"

namespace octet {

// A tensor's raw form: row-major, little-endian; of BYTES each element's length in 4 bytes, and it.
struct TensorBytes {
  std::unique_ptr<std::byte[]> data;
  std::size_t size = 0;
};

// Reads the array that comes next: the elements of a tensor of `data_type` (the protocol's name)
// and `dims`, nested as the shape or flat.
//
// Fails the reader with INVALID_ARGUMENT for a datatype that is unknown or has no JSON form,
// another number of elements or nesting than the shape's, an element of another kind or out of the
// datatype's range; with OUT_OF_RANGE for more than `max_bytes`. Never allocates more than a small
// multiple of the JSON's size.
bool ReadTensorJson(JsonReader& reader, absl::string_view data_type, const Dims& dims,
                    std::size_t max_bytes, TensorBytes& tensor);

// Appends the elements of `output` as one flat array.
// Returns INVALID_ARGUMENT for FP16 and BF16, RESOURCE_EXHAUSTED as soon as `out` has more than
// `max_bytes`.
absl::Status AppendTensorJson(const AnswerOutput& output, std::size_t max_bytes, std::string& out);

}  // namespace octet
