// SPDX-License-Identifier: Apache-2.0
// What one worker owns to run batches: its arena and a Session for each version.

#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "models/tensor/tensor.h"
#include "server/metrics/metrics.h"
#include "server/scheduling/request_queue.h"

namespace octet {

// Thread safety: one thread at a time.
class Worker {
 public:
  // `index` is the worker's place in the metrics' blocks. `metrics` is borrowed.
  Worker(std::size_t index, std::size_t max_answer_bytes, Metrics& metrics);

  // Makes the Session, unless it is there.
  absl::Status Prepare(const std::shared_ptr<const Executable>& executable);

  // Answers every request of `batch`, which is not empty: expired ones with DEADLINE_EXCEEDED and
  // cancelled ones with CANCELLED, before any work is spent on them. Requests whose answers are too
  // large together run one by one. Returns whether all of them were computed, in one go.
  bool Run(Batch batch);

 private:
  // Drops the requests that nobody waits for any more.
  void DropDead(Batch& batch, TimePoint now);
  void RunOneByOne(Batch batch);
  // The batch's inputs as one tensor each, in `inputs_`.
  void Gather(const Batch& batch);
  absl::Status RunSession(const Batch& batch, Session& session, std::vector<Tensor>& outputs,
                          BatchTimes& times);

  const std::size_t index_;
  const std::size_t max_answer_bytes_;
  Metrics& metrics_;
  Arena arena_;
  // A Session keeps its Executable; an entry stays for as long as the worker lives.
  std::unordered_map<const Executable*, std::unique_ptr<Session>> sessions_;

  // Of the batch that runs; kept for their memory.
  std::vector<TensorView> inputs_;
  std::vector<Dims> input_dims_;
  std::vector<Tensor> gathered_;
  std::vector<Dims> output_dims_;
  std::vector<MutableTensorView> output_views_;
};

}  // namespace octet
