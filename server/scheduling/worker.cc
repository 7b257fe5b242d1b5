// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/worker.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace octet {

Worker::Worker(std::size_t index, std::size_t max_answer_bytes, Metrics& metrics)
    : index_(index), max_answer_bytes_(max_answer_bytes), metrics_(metrics) {}

absl::Status Worker::Prepare(const std::shared_ptr<const Executable>& executable) {
  std::unique_ptr<Session>& session = sessions_[executable.get()];
  if (session) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Session>> made = Session::Create(executable, arena_);
  if (!made.ok()) {
    sessions_.erase(executable.get());
    return made.status();
  }
  session = *std::move(made);
  return absl::OkStatus();
}

std::size_t Worker::Run(BatchRun& run) {
  if (!Begin(run)) return 0;
  const RowsOutcome all = RunRows(run, run.all_rows(), [] { return false; });
  return Finish(run, {.status = all.status, .run = all.run, .quantize = all.quantize});
}

bool Worker::Begin(BatchRun& run) {
  run.DropDead(index_, metrics_);
  if (run.empty()) return false;
  const std::shared_ptr<const Executable>& executable = run.executable();
  absl::Status status = Prepare(executable);
  if (status.ok()) {
    status = run.MakeTensors(*sessions_.at(executable.get()), max_answer_bytes_);
  }
  if (status.ok()) return true;
  Fail(run, status);
  return false;
}

RowsOutcome Worker::RunRows(const BatchRun& run, RowRange rows, absl::FunctionRef<bool()> stops) {
  RowsOutcome outcome;
  const std::shared_ptr<const Executable>& executable = run.executable();
  outcome.status = Prepare(executable);
  if (!outcome.status.ok()) return outcome;
  Session& session = *sessions_.at(executable.get());
  const auto start = std::chrono::steady_clock::now();
  outcome.status = run.ragged() != nullptr
                       ? session.RunRagged(*run.ragged(), run.inputs(), run.outputs(), rows, stops)
                       : session.RunRows(run.inputs(), run.outputs(), rows, stops);
  outcome.run = std::chrono::steady_clock::now() - start;
  outcome.quantize = std::chrono::nanoseconds(session.last_quantize_nanoseconds());
  return outcome;
}

std::size_t Worker::Finish(BatchRun& run, const BatchOutcome& outcome) {
  if (!outcome.status.ok()) {
    Fail(run, outcome.status);
    return 0;
  }
  const std::size_t byte_size = run.byte_size();
  run.Answer(index_, outcome);
  return byte_size;
}

void Worker::Fail(BatchRun& run, const absl::Status& error) {
  // What one of them asks for is not held against the others.
  const bool is_ragged = run.ragged() != nullptr;
  const bool is_of_one =
      absl::IsResourceExhausted(error) || (is_ragged && absl::IsInvalidArgument(error));
  if (!is_of_one || run.num_requests() == 1) {
    run.Refuse(index_, metrics_, error);
    return;
  }
  // One that a step finds too long costs the others little where they are halved, again and again.
  Batch whole = run.TakeBatch();
  const std::size_t size = is_ragged ? (whole.requests.size() + 1) / 2 : 1;
  for (std::size_t begin = 0; begin < whole.requests.size(); begin += size) {
    Batch some;
    some.max_rows = whole.max_rows;
    some.reason = whole.reason;
    const std::size_t end = std::min(begin + size, whole.requests.size());
    for (std::size_t i = begin; i < end; ++i) Append(std::move(whole.requests[i]), some);
    if (some.requests.size() == 1) {
      some.max_rows = 1;
      some.reason = DispatchReason::kAlone;
    }
    run.Begin(std::move(some));
    Run(run);
  }
}

}  // namespace octet
