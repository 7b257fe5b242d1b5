// SPDX-License-Identifier: Apache-2.0
// What one worker owns to run batches: its arena and a Session for each version.

#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "server/metrics/metrics.h"
#include "server/scheduling/batch_progress.h"
#include "server/scheduling/batch_run.h"

namespace octet {

// Thread safety: one thread at a time.
class Worker {
 public:
  // `index` is the worker's place in the metrics' blocks. `metrics` is borrowed.
  Worker(std::size_t index, std::size_t max_answer_bytes, Metrics& metrics);

  // Makes the Session, unless it is there.
  absl::Status Prepare(const std::shared_ptr<const Executable>& executable);

  // Gives the Session up, if it is there.
  void Forget(const Executable& executable) { sessions_.erase(&executable); }

  // Answers every request of `run`, which is not empty: expired ones with DEADLINE_EXCEEDED and
  // cancelled ones with CANCELLED, before any work is spent on them. Requests whose answers are too
  // large together run one by one. Returns the bytes of inputs that were computed in one go.
  std::size_t Run(BatchRun& run);

  // The same in three steps, between which other workers may run rows of the batch. Begin returns
  // whether there are rows to run: if not, all requests are answered.
  bool Begin(BatchRun& run);
  // Returns CANCELLED in the outcome where `stops`, asked before each step, said so.
  RowsOutcome RunRows(const BatchRun& run, RowRange rows, absl::FunctionRef<bool()> stops);
  // Answers every request. Returns as Run does.
  std::size_t Finish(BatchRun& run, const BatchOutcome& outcome);

 private:
  void Fail(BatchRun& run, const absl::Status& error);

  const std::size_t index_;
  const std::size_t max_answer_bytes_;
  Metrics& metrics_;
  Arena arena_;
  // A Session keeps its Executable.
  std::unordered_map<const Executable*, std::unique_ptr<Session>> sessions_;
};

}  // namespace octet
