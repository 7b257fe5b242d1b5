// SPDX-License-Identifier: Apache-2.0
// One worker's state for running an Executable.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet {

// A worker's memory for intermediate tensors, 64-byte aligned, shared by all Sessions of that
// worker (it runs one batch at a time) and as large as the largest plan among them.
// Thread safety: one thread at a time.
class Arena {
 public:
  // Makes room for `byte_size`; never shrinks. Called when a Session is prepared, or when a batch
  // with a larger symbol (a longer sequence) than any before comes; never for more rows.
  void Reserve(std::size_t byte_size);
  [[nodiscard]] std::span<std::byte> bytes();

 private:
  Tensor buffer_;
};

// Thread safety: one thread at a time; it and its arena belong to one worker.
class Session {
 public:
  // Prepares every buffer that a run needs. `arena` is borrowed for as long as the Session lives.
  static absl::StatusOr<std::unique_ptr<Session>> Create(
      std::shared_ptr<const Executable> executable, Arena& arena);

  virtual ~Session() = default;

  // The dimensions of each output for inputs of these dimensions, into `dims` (one per output;
  // their capacity is reused). Returns INVALID_ARGUMENT naming the input, its shape and the wanted
  // one if the inputs do not fit the signature or disagree about a symbol.
  virtual absl::Status OutputDims(std::span<const TensorView> inputs, std::vector<Dims>& dims) = 0;

  // Runs all rows: any number, at least 1; more than Executable::max_rows() are split. Inputs and
  // outputs are in the signature's order, outputs have the sizes that OutputDims gives, and no two
  // overlap. Inputs may be unaligned. No allocation once a batch with the same symbols other than
  // rows has been run. Returns INVALID_ARGUMENT as OutputDims does.
  virtual absl::Status Run(std::span<const TensorView> inputs,
                           std::span<const MutableTensorView> outputs) = 0;

  [[nodiscard]] virtual const Executable& executable() const = 0;

  // Nanoseconds that the last Run spent in steps that quantize float input rows on their own
  // (Quantize nodes); the rest is compute.
  [[nodiscard]] virtual std::int64_t last_quantize_nanoseconds() const = 0;
};

}  // namespace octet
