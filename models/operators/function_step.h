// SPDX-License-Identifier: Apache-2.0
// A step made of functions, for operators without packed weights.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "models/graph/operator.h"

namespace octet {

// `RunFunction` takes a StepArguments; `ScratchSize` takes the inputs' views and returns bytes.
// Both must follow the rules of Step's methods: they own what they captured and change none of it.
template <typename RunFunction, typename ScratchSize>
class FunctionStep final : public Step {
 public:
  FunctionStep(std::string kernel_name, RunFunction run, ScratchSize scratch_size,
               std::size_t packed_byte_size)
      : kernel_name_(std::move(kernel_name)),
        run_(std::move(run)),
        scratch_size_(std::move(scratch_size)),
        packed_byte_size_(packed_byte_size) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    return scratch_size_(inputs);
  }
  void Run(const StepArguments& arguments) const override { run_(arguments); }
  [[nodiscard]] std::string kernel_name() const override { return kernel_name_; }
  [[nodiscard]] std::size_t packed_byte_size() const override { return packed_byte_size_; }

 private:
  std::string kernel_name_;
  RunFunction run_;
  ScratchSize scratch_size_;
  std::size_t packed_byte_size_;
};

template <typename RunFunction, typename ScratchSize>
std::unique_ptr<const Step> MakeStepWithScratch(std::string kernel_name, RunFunction run,
                                                ScratchSize scratch_size,
                                                std::size_t packed_byte_size = 0) {
  return std::make_unique<const FunctionStep<RunFunction, ScratchSize>>(
      std::move(kernel_name), std::move(run), std::move(scratch_size), packed_byte_size);
}

template <typename RunFunction>
std::unique_ptr<const Step> MakeStep(std::string kernel_name, RunFunction run,
                                     std::size_t packed_byte_size = 0) {
  return MakeStepWithScratch(
      std::move(kernel_name), std::move(run),
      [](std::span<const TensorView>) -> std::size_t { return 0; }, packed_byte_size);
}

}  // namespace octet
