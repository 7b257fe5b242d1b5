// SPDX-License-Identifier: Apache-2.0
// The tensors of a batch while workers compute it, and its answers.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "models/runtime/ragged_batch.h"
#include "models/runtime/session.h"
#include "models/tensor/tensor.h"
#include "server/metrics/metrics.h"
#include "server/scheduling/batch_progress.h"
#include "server/scheduling/queue_policy.h"
#include "server/scheduling/request_queue.h"

namespace octet {

// Used for one batch after another; keeps its memory.
//
// Thread safety: one thread at a time; between MakeTensors and Answer or Refuse, several threads
// may read `inputs` and write rows of their own of `outputs`.
class BatchRun {
 public:
  // Takes over a batch, which is not empty.
  void Begin(Batch batch);

  // Drops the requests that nobody waits for any more: expired ones are answered with
  // DEADLINE_EXCEEDED, cancelled ones with CANCELLED.
  void DropDead(std::size_t worker, Metrics& metrics);

  // Gathers the inputs into one tensor each, and makes the outputs. Precondition: !empty().
  // Returns RESOURCE_EXHAUSTED where the outputs are larger than `max_answer_bytes`, and the errors
  // of Session::OutputDims.
  absl::Status MakeTensors(Session& session, std::size_t max_answer_bytes);

  [[nodiscard]] bool empty() const { return batch_.requests.empty(); }
  [[nodiscard]] std::size_t num_requests() const { return batch_.requests.size(); }
  [[nodiscard]] std::int64_t rows() const { return batch_.rows; }
  // BatchSize::positions of all that were taken from the queue.
  [[nodiscard]] std::int64_t positions() const { return batch_.positions; }
  [[nodiscard]] RowRange all_rows() const { return {.first = 0, .count = batch_.rows}; }
  // Of input data.
  [[nodiscard]] std::size_t byte_size() const { return batch_.bytes; }
  // Precondition: !empty().
  [[nodiscard]] const std::shared_ptr<const Executable>& executable() const {
    return batch_.requests.front()->executable;
  }
  // Which of the rows are alike, where they are not all: then inputs and outputs are packed
  // (RaggedBatch). Else null. As inputs and outputs after MakeTensors.
  [[nodiscard]] const RaggedBatch* ragged() const { return is_ragged_ ? &ragged_ : nullptr; }
  [[nodiscard]] std::span<const TensorView> inputs() const { return inputs_; }
  [[nodiscard]] std::span<const MutableTensorView> outputs() const { return output_views_; }
  [[nodiscard]] std::chrono::nanoseconds gather_time() const { return gathered_ - start_; }

  // OK if anybody still waits for an answer at `now`; else why not: CANCELLED or DEADLINE_EXCEEDED.
  // Any thread may ask.
  [[nodiscard]] absl::Status CheckWanted(TimePoint now) const;

  // When what is left of the batch is due, if it makes way for others at `now`: as though it came
  // only then. Precondition: !empty().
  [[nodiscard]] TimePoint DueAgain(const QueuePolicy& policy, TimePoint now) const;

  // Answers every request with its rows of the outputs, and records the batch. Then it is empty.
  void Answer(std::size_t worker, const BatchOutcome& outcome);
  // Answers every request with an error. Then it is empty.
  void Refuse(std::size_t worker, Metrics& metrics, const absl::Status& error);
  // Gives the batch up, unanswered. Then it is empty.
  Batch TakeBatch();

 private:
  // Where the rows of a request are in an output of a ragged batch.
  struct PackedRows {
    Dims dims;
    std::size_t offset = 0;
    std::size_t byte_size = 0;
  };

  void Gather();
  // What a tensor of all requests for input `index` has, which is `byte_size` large.
  void SetGatheredDims(std::size_t index, std::size_t byte_size);
  // Both make output_dims_.
  absl::Status FindOutputs(Session& session, std::size_t max_answer_bytes);
  absl::Status FindPackedOutputs(Session& session, std::size_t max_answer_bytes);
  [[nodiscard]] absl::Status CheckAnswerSize(std::size_t byte_size,
                                             std::size_t max_answer_bytes) const;
  // To the request at `place` of the batch.
  InferenceAnswer AnswerTo(std::size_t place, std::int64_t first_row) const;

  Batch batch_;
  TimePoint start_;
  TimePoint gathered_;
  std::vector<TensorView> inputs_;
  std::shared_ptr<std::vector<Tensor>> outputs_;
  std::vector<MutableTensorView> output_views_;
  bool is_ragged_ = false;
  RaggedBatch ragged_{1};
  std::vector<PackedRows> packed_rows_;  // of each request, for each output

  // Kept for their memory.
  std::vector<Dims> input_dims_;
  std::vector<Tensor> gathered_inputs_;
  std::vector<Dims> output_dims_;
  std::vector<std::int64_t> symbols_;
};

}  // namespace octet
