// SPDX-License-Identifier: Apache-2.0
// Runs the steps of an executable one at a time, every value in memory of its own: for what looks
// at single steps or times them. A Session serves.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet {

// Thread safety: one thread at a time.
class StepRunner {
 public:
  // Binds `inputs`, in the signature's order, and makes room for every value. Both arguments are
  // borrowed for as long as the StepRunner lives.
  // Returns INVALID_ARGUMENT if the inputs do not fit the signature, RESOURCE_EXHAUSTED if a value
  // or a step's scratch would need more memory than CompileOptions allows.
  static absl::StatusOr<std::unique_ptr<StepRunner>> Create(const Executable& executable,
                                                            std::span<const Tensor> inputs);

  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  [[nodiscard]] std::size_t num_steps() const { return steps_.size(); }

  // Runs step `index` of the executable. Precondition: the steps before it have run.
  void Run(std::size_t index);

  // What step `index` reads, and what it writes.
  [[nodiscard]] std::span<const TensorView> inputs(std::size_t index) const {
    return steps_[index].inputs;
  }
  [[nodiscard]] std::span<const MutableTensorView> outputs(std::size_t index) const {
    return steps_[index].outputs;
  }

 private:
  struct BoundStep {
    std::vector<TensorView> inputs;
    std::vector<MutableTensorView> outputs;
    std::size_t scratch_byte_size = 0;
  };

  explicit StepRunner(const Executable& executable) : executable_(executable) {}

  absl::Status EvaluateDims(std::span<const Tensor> inputs);
  void PlaceValues(std::span<const Tensor> inputs);
  absl::Status BindSteps();
  [[nodiscard]] absl::Status CheckSize(std::size_t byte_size) const;

  const Executable& executable_;
  std::vector<Dims> dims_;   // of each value
  std::vector<void*> data_;  // of each value; null for one that no step reads or writes
  std::vector<Tensor> made_;
  std::vector<BoundStep> steps_;
  Tensor scratch_;
};

}  // namespace octet
