// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/worker.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

using std::chrono::steady_clock;

// Keeps what an answer's views refer to.
struct AnswerOwner {
  std::shared_ptr<const std::vector<Tensor>> outputs;
  std::shared_ptr<const void> model;
};

}  // namespace

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

void Worker::DropDead(Batch& batch, TimePoint now) {
  std::size_t kept = 0;
  for (std::unique_ptr<InferenceRequest>& request : batch.requests) {
    absl::Status dead;
    // First, because the transport cancels a call whose deadline has passed.
    if (request->deadline <= now) {
      dead = absl::DeadlineExceededError(absl::StrCat(
          "the deadline passed in the queue, after ",
          std::chrono::duration_cast<std::chrono::microseconds>(now - request->arrival).count(),
          " us in the server; nothing was computed"));
    } else if (request->completion->IsCancelled()) {
      dead = absl::CancelledError("the caller cancelled the request while it was queued");
    }
    if (dead.ok()) {
      std::swap(batch.requests[kept++], request);
    } else {
      batch.rows -= request->rows;
      Refuse(std::move(request), index_, metrics_, std::move(dead));
    }
  }
  batch.requests.resize(kept);
}

void Worker::Gather(const Batch& batch) {
  const InferenceRequest& first = *batch.requests.front();
  inputs_ = first.bound_inputs;
  if (batch.requests.size() == 1) return;
  input_dims_.resize(inputs_.size());
  gathered_.resize(std::max(gathered_.size(), inputs_.size()));
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Dims& dims = input_dims_[i];
    dims.assign(inputs_[i].dims.begin(), inputs_[i].dims.end());
    dims[0] = batch.rows;
    const std::size_t byte_size = ByteSize(inputs_[i].data_type, dims);
    if (gathered_[i].bytes().size() < byte_size) {
      gathered_[i] = Tensor(DataType::kUint8, {static_cast<std::int64_t>(byte_size)});
    }
    std::byte* to = gathered_[i].bytes().data();
    for (const std::unique_ptr<InferenceRequest>& request : batch.requests) {
      const TensorView& view = request->bound_inputs[i];
      const std::size_t part = ByteSize(view.data_type, view.dims);
      std::memcpy(to, view.data, part);
      to += part;
    }
    inputs_[i] = {inputs_[i].data_type, dims, gathered_[i].bytes().data()};
  }
}

absl::Status Worker::RunSession(const Batch& batch, Session& session, std::vector<Tensor>& outputs,
                                BatchTimes& times) {
  const TimePoint start = steady_clock::now();
  Gather(batch);
  const TimePoint gathered = steady_clock::now();
  times.gather = gathered - start;
  RETURN_IF_ERROR(session.OutputDims(inputs_, output_dims_));
  const std::vector<TensorSignature>& signature = session.executable().outputs();
  std::size_t byte_size = 0;
  for (std::size_t i = 0; i < signature.size(); ++i) {
    byte_size += ByteSize(signature[i].type.data_type, output_dims_[i]);
    if (byte_size > max_answer_bytes_) {
      return absl::ResourceExhaustedError(absl::StrCat("the answer to ", batch.rows,
                                                       " rows is larger than ", max_answer_bytes_,
                                                       " bytes; send fewer rows"));
    }
  }
  outputs.reserve(signature.size());
  output_views_.clear();
  for (std::size_t i = 0; i < signature.size(); ++i) {
    outputs.emplace_back(signature[i].type.data_type, output_dims_[i]);
    output_views_.push_back(outputs.back().mutable_view());
  }
  RETURN_IF_ERROR(session.Run(inputs_, output_views_));
  times.run = steady_clock::now() - gathered;
  return absl::OkStatus();
}

void Worker::RunOneByOne(Batch batch) {
  for (std::unique_ptr<InferenceRequest>& request : batch.requests) {
    Batch alone;
    alone.rows = request->rows;
    alone.requests.push_back(std::move(request));
    Run(std::move(alone));
  }
}

bool Worker::Run(Batch batch) {
  const TimePoint start = steady_clock::now();
  const std::size_t num_requests = batch.requests.size();
  DropDead(batch, start);
  if (batch.requests.empty()) return false;
  const std::shared_ptr<const Executable> executable = batch.requests.front()->executable;
  const std::shared_ptr<ModelMetrics> metrics = batch.requests.front()->metrics;
  BatchTimes times{.rows = batch.rows};
  auto outputs = std::make_shared<std::vector<Tensor>>();
  absl::Status status = Prepare(executable);
  std::chrono::nanoseconds quantize{0};
  if (status.ok()) {
    Session& session = *sessions_.at(executable.get());
    status = RunSession(batch, session, *outputs, times);
    quantize = std::chrono::nanoseconds(session.last_quantize_nanoseconds());
  }
  // What one of them asks for is not held against the others.
  if (absl::IsResourceExhausted(status) && batch.requests.size() > 1) {
    RunOneByOne(std::move(batch));
    return false;
  }
  if (!status.ok()) {
    for (std::unique_ptr<InferenceRequest>& request : batch.requests) {
      Refuse(std::move(request), index_, metrics_, status);
    }
    return false;
  }
  const TimePoint ran = steady_clock::now();
  std::int64_t first_row = 0;
  const std::int64_t all_rows = batch.rows;
  const bool is_shared = batch.requests.size() > 1;
  for (std::unique_ptr<InferenceRequest>& request : batch.requests) {
    InferenceAnswer answer{.model = request->model, .outputs = {}, .owner = nullptr, .times = {}};
    answer.owner = std::make_shared<AnswerOwner>(AnswerOwner{outputs, request->model_owner});
    answer.times = {.queue = start - request->admitted,
                    .parse = request->admitted - request->arrival,
                    .quantize = quantize,
                    .compute = times.run - quantize,
                    .rows = request->rows};
    for (const std::size_t index : request->output_indices) {
      const Tensor& whole = (*outputs)[index];
      AnswerOutput output{executable->outputs()[index].name, whole.data_type(), whole.dims(),
                          std::as_const(whole).bytes()};
      if (is_shared) {
        const std::size_t row_bytes = output.data.size() / static_cast<std::size_t>(all_rows);
        output.data = output.data.subspan(static_cast<std::size_t>(first_row) * row_bytes,
                                          static_cast<std::size_t>(request->rows) * row_bytes);
        output.dims[0] = request->rows;
      }
      answer.outputs.push_back(std::move(output));
    }
    first_row += request->rows;
    Answer(std::move(request), index_, std::move(answer));
  }
  times.scatter = steady_clock::now() - ran;
  metrics->RecordBatch(index_, times);
  return batch.requests.size() == num_requests;
}

}  // namespace octet
