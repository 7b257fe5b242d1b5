// SPDX-License-Identifier: Apache-2.0
// A TensorFlow Lite file as plain data: the flatbuffer verified, every index and size checked.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/tflite/schema_generated.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"

namespace octet::tflite {

// real = scale * (q - zero_point), one for the tensor or one for each index of `axis`.
struct StoredQuantization {
  std::span<const float> scale;            // empty: not quantized
  std::span<const std::byte> zero_points;  // int64 each, unaligned; as many as scales, or none
  std::int32_t axis = 0;

  [[nodiscard]] std::int64_t ZeroPoint(std::size_t index) const;
};

struct StoredTensor {
  absl::string_view name;             // may be empty, or that of another tensor
  std::optional<DataType> data_type;  // none: a type that we do not have
  int type_number = 0;                // as the file says
  Dims dims;                          // at most kMaxRank, each 0 or more
  // As `dims`, with -1 for what a caller decides; empty where the file says nothing.
  std::span<const std::int32_t> signature;
  StoredQuantization quantization;
  std::span<const std::byte> data;  // of a constant, ByteSize(data_type, dims) bytes; else empty
  bool is_sparse = false;
  bool is_variable = false;
};

struct StoredOperator {
  std::int64_t code = 0;
  absl::string_view custom_code;  // of the operator CUSTOM
  // Indices of tensors; -1 for an optional input, or intermediate, that is not given.
  std::span<const std::int32_t> inputs;
  std::span<const std::int32_t> outputs;
  // What it computes on the way; empty for most.
  std::span<const std::int32_t> intermediates;
  const schema::Operator* options = nullptr;

  [[nodiscard]] std::string Name() const;
};

// The model's only, or first, subgraph. Borrows the file's bytes.
struct ModelFile {
  std::vector<StoredTensor> tensors;
  std::vector<StoredOperator> operators;
  std::span<const std::int32_t> inputs;
  std::span<const std::int32_t> outputs;
};

inline constexpr std::size_t kMaxRank = 8;

// `bytes` is to lie at a multiple of 16, as the format has it.
// Returns INVALID_ARGUMENT for what is no such file, damaged or contradicts itself, with what is
// wrong, what it is and what is wanted; UNIMPLEMENTED for data outside of the flatbuffer;
// RESOURCE_EXHAUSTED for more tensors or operators than models have, or 2 GiB.
absl::StatusOr<ModelFile> ReadModelFile(std::span<const std::byte> bytes);

// The type with this number in the format; none where we have no such type.
std::optional<DataType> DataTypeOf(int type_number);

}  // namespace octet::tflite
