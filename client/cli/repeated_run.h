// SPDX-License-Identifier: Apache-2.0
// A model that runs the same rows again and again: what measurements call.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "models/tensor/tensor.h"

namespace octet::cli {

// A Session with an arena, inputs and outputs of its own, as a server's worker has them.
// Thread safety: one thread at a time.
class RepeatedRun {
 public:
  // Runs `inputs`, in the signature's order, once; they are borrowed for as long as the RepeatedRun
  // lives and may be shared by several. Returns the errors of Session::Run.
  static absl::StatusOr<std::unique_ptr<RepeatedRun>> Create(
      const std::shared_ptr<const Executable>& executable, std::span<const Tensor> inputs);

  // `count` of them, each made by a thread of its own, as workers make their Sessions: memory that
  // one thread allocates for several shares cache lines, which would pass between their CPUs.
  static absl::StatusOr<std::vector<std::unique_ptr<RepeatedRun>>> CreateMany(
      const std::shared_ptr<const Executable>& executable, std::span<const Tensor> inputs,
      std::size_t count);

  RepeatedRun(const RepeatedRun&) = delete;
  RepeatedRun& operator=(const RepeatedRun&) = delete;

  // Cannot fail: Create has run the same.
  void Run() { session_->Run(input_views_, output_views_).IgnoreError(); }

  // What the last run answered, in the signature's order.
  [[nodiscard]] const std::vector<Tensor>& outputs() const { return outputs_; }

 private:
  RepeatedRun() = default;

  Arena arena_;
  std::unique_ptr<Session> session_;
  std::vector<TensorView> input_views_;
  std::vector<Tensor> outputs_;
  std::vector<MutableTensorView> output_views_;
};

}  // namespace octet::cli
