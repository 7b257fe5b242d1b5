// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batch_run.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/symbol_binding.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Keeps what an answer's views refer to.
struct AnswerOwner {
  std::shared_ptr<const std::vector<Tensor>> outputs;
  std::shared_ptr<const void> model;
};

// The share of `run`, by the clock, that the workers spent in quantizing: together they spend more
// time than passes.
nanoseconds QuantizeTime(const BatchOutcome& outcome, nanoseconds run) {
  if (outcome.helped_parts == 0 || outcome.run.count() == 0) return outcome.quantize;
  const double share =
      static_cast<double>(outcome.quantize.count()) / static_cast<double>(outcome.run.count());
  return nanoseconds(static_cast<std::int64_t>(static_cast<double>(run.count()) * share));
}

}  // namespace

void BatchRun::Begin(Batch batch) {
  batch_ = std::move(batch);
  start_ = steady_clock::now();
}

void BatchRun::DropDead(std::size_t worker, Metrics& metrics) {
  std::size_t kept = 0;
  for (std::unique_ptr<InferenceRequest>& request : batch_.requests) {
    absl::Status dead;
    // First, because the transport cancels a call whose deadline has passed.
    if (request->deadline <= start_) {
      dead = absl::DeadlineExceededError(absl::StrCat(
          "the deadline passed in the queue, after ",
          std::chrono::duration_cast<std::chrono::microseconds>(start_ - request->arrival).count(),
          " us in the server; nothing was computed"));
    } else if (request->start_by <= start_) {
      dead = absl::DeadlineExceededError(absl::StrCat(
          "its queue timeout passed, after ",
          std::chrono::duration_cast<std::chrono::microseconds>(start_ - request->arrival).count(),
          " us in the server; nothing was computed; back off, or allow it more time"));
    } else if (request->completion->IsCancelled()) {
      dead = absl::CancelledError("the caller cancelled the request while it was queued");
    }
    if (dead.ok()) {
      std::swap(batch_.requests[kept++], request);
    } else {
      batch_.rows -= request->rows;
      batch_.bytes -= InputByteSize(*request);
      octet::Refuse(std::move(request), worker, metrics, std::move(dead));
    }
  }
  batch_.requests.resize(kept);
}

void BatchRun::Gather() {
  const InferenceRequest& first = *batch_.requests.front();
  inputs_ = first.bound_inputs;
  is_ragged_ = false;
  if (batch_.requests.size() == 1) return;
  is_ragged_ = std::any_of(batch_.requests.begin(), batch_.requests.end(),
                           [&](const auto& request) { return !HaveSameShape(first, *request); });
  input_dims_.resize(inputs_.size());
  gathered_inputs_.resize(std::max(gathered_inputs_.size(), inputs_.size()));
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    std::size_t byte_size = 0;
    for (const std::unique_ptr<InferenceRequest>& request : batch_.requests) {
      const TensorView& view = request->bound_inputs[i];
      byte_size += ByteSize(view.data_type, view.dims);
    }
    if (gathered_inputs_[i].bytes().size() < byte_size) {
      gathered_inputs_[i] =
          Tensor::ForOverwrite(DataType::kUint8, {static_cast<std::int64_t>(byte_size)});
    }
    std::byte* to = gathered_inputs_[i].bytes().data();
    for (const std::unique_ptr<InferenceRequest>& request : batch_.requests) {
      const TensorView& view = request->bound_inputs[i];
      const std::size_t part = ByteSize(view.data_type, view.dims);
      std::memcpy(to, view.data, part);
      to += part;
    }
    SetGatheredDims(i, byte_size);
  }
}

void BatchRun::SetGatheredDims(std::size_t index, std::size_t byte_size) {
  TensorView& input = inputs_[index];
  Dims& dims = input_dims_[index];
  if (is_ragged_) {
    dims.assign(1, static_cast<std::int64_t>(byte_size / (BitWidth(input.data_type) / 8)));
  } else {
    dims.assign(input.dims.begin(), input.dims.end());
    dims[0] = batch_.rows;
  }
  input = {input.data_type, dims, gathered_inputs_[index].bytes().data()};
}

absl::Status BatchRun::CheckAnswerSize(std::size_t byte_size, std::size_t max_answer_bytes) const {
  if (byte_size <= max_answer_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the answer to ", batch_.rows,
                                                   " rows is larger than ", max_answer_bytes,
                                                   " bytes; send fewer rows"));
}

absl::Status BatchRun::FindOutputs(Session& session, std::size_t max_answer_bytes) {
  RETURN_IF_ERROR(session.OutputDims(inputs_, output_dims_));
  const std::vector<TensorSignature>& signature = session.executable().outputs();
  std::size_t byte_size = 0;
  for (std::size_t i = 0; i < signature.size(); ++i) {
    byte_size += ByteSize(signature[i].type.data_type, output_dims_[i]);
    RETURN_IF_ERROR(CheckAnswerSize(byte_size, max_answer_bytes));
  }
  return absl::OkStatus();
}

absl::Status BatchRun::FindPackedOutputs(Session& session, std::size_t max_answer_bytes) {
  const Executable& executable = session.executable();
  const std::size_t num_outputs = executable.outputs().size();
  symbols_.resize(executable.symbol_names().size());
  ragged_ = RaggedBatch(symbols_.size());
  packed_rows_.resize(batch_.requests.size() * num_outputs);
  std::vector<std::size_t> ends(num_outputs);
  std::size_t byte_size = 0;
  for (std::size_t r = 0; r < batch_.requests.size(); ++r) {
    const InferenceRequest& request = *batch_.requests[r];
    RETURN_IF_ERROR(BindSymbols(executable, request.bound_inputs, symbols_));
    RETURN_IF_ERROR(session.OutputDims(request.bound_inputs, output_dims_));
    ragged_.Append(symbols_);
    for (std::size_t i = 0; i < num_outputs; ++i) {
      PackedRows& rows = packed_rows_[r * num_outputs + i];
      rows.dims = output_dims_[i];
      rows.offset = ends[i];
      rows.byte_size = ByteSize(executable.outputs()[i].type.data_type, rows.dims);
      ends[i] += rows.byte_size;
      byte_size += rows.byte_size;
      RETURN_IF_ERROR(CheckAnswerSize(byte_size, max_answer_bytes));
    }
  }
  for (std::size_t i = 0; i < num_outputs; ++i) {
    const std::size_t element_size = BitWidth(executable.outputs()[i].type.data_type) / 8;
    output_dims_[i].assign(1, static_cast<std::int64_t>(ends[i] / element_size));
  }
  return absl::OkStatus();
}

absl::Status BatchRun::MakeTensors(Session& session, std::size_t max_answer_bytes) {
  Gather();
  gathered_ = steady_clock::now();
  RETURN_IF_ERROR(is_ragged_ ? FindPackedOutputs(session, max_answer_bytes)
                             : FindOutputs(session, max_answer_bytes));
  const std::vector<TensorSignature>& signature = session.executable().outputs();
  outputs_ = std::make_shared<std::vector<Tensor>>();
  outputs_->reserve(signature.size());
  output_views_.clear();
  for (std::size_t i = 0; i < signature.size(); ++i) {
    outputs_->push_back(Tensor::ForOverwrite(signature[i].type.data_type, output_dims_[i]));
    output_views_.push_back(outputs_->back().mutable_view());
  }
  return absl::OkStatus();
}

InferenceAnswer BatchRun::AnswerTo(std::size_t place, std::int64_t first_row) const {
  const InferenceRequest& request = *batch_.requests[place];
  InferenceAnswer answer{.model = request.model, .outputs = {}, .owner = nullptr, .times = {}};
  answer.owner = std::make_shared<AnswerOwner>(AnswerOwner{outputs_, request.model_owner});
  for (const std::size_t index : request.output_indices) {
    const Tensor& whole = (*outputs_)[index];
    AnswerOutput output{request.executable->outputs()[index].name, whole.data_type(), whole.dims(),
                        whole.bytes()};
    if (is_ragged_) {
      const PackedRows& rows = packed_rows_[place * outputs_->size() + index];
      output.data = output.data.subspan(rows.offset, rows.byte_size);
      output.dims = rows.dims;
    } else if (batch_.requests.size() > 1) {
      const std::size_t row_bytes = output.data.size() / static_cast<std::size_t>(batch_.rows);
      output.data = output.data.subspan(static_cast<std::size_t>(first_row) * row_bytes,
                                        static_cast<std::size_t>(request.rows) * row_bytes);
      output.dims[0] = request.rows;
    }
    answer.outputs.push_back(std::move(output));
  }
  return answer;
}

absl::Status BatchRun::CheckWanted(TimePoint now) const {
  absl::Status unwanted;
  for (const std::unique_ptr<InferenceRequest>& request : batch_.requests) {
    if (request->deadline <= now) {
      unwanted.Update(absl::DeadlineExceededError(
          "the deadline passed when a part of the rows was computed; the rest was not"));
    } else if (request->completion->IsCancelled()) {
      unwanted.Update(absl::CancelledError(
          "the caller cancelled the request when a part of the rows was computed"));
    } else {
      return absl::OkStatus();
    }
  }
  return unwanted;
}

TimePoint BatchRun::DueAgain(const QueuePolicy& policy, TimePoint now) const {
  const InferenceRequest& first = *batch_.requests.front();
  const std::int64_t levels_behind =
      first.scheduling == nullptr ? 0 : LevelsBehind(*first.scheduling, first.level);
  return DueTime(policy, now, first.deadline, levels_behind);
}

void BatchRun::Answer(std::size_t worker, const BatchOutcome& outcome) {
  const TimePoint ran = steady_clock::now();
  BatchTimes times{.rows = batch_.rows,
                   .max_rows = batch_.max_rows,
                   .reason = batch_.reason,
                   .gather = gather_time(),
                   .run = ran - gathered_,
                   .helped_parts = outcome.helped_parts};
  const nanoseconds quantize = QuantizeTime(outcome, times.run);
  const std::shared_ptr<ModelMetrics> metrics = batch_.requests.front()->metrics;
  std::int64_t first_row = 0;
  for (std::size_t place = 0; place < batch_.requests.size(); ++place) {
    std::unique_ptr<InferenceRequest>& request = batch_.requests[place];
    InferenceAnswer answer = AnswerTo(place, first_row);
    answer.times = {.queue = start_ - request->admitted,
                    .parse = request->admitted - request->arrival,
                    .quantize = quantize,
                    .compute = times.run - quantize,
                    .rows = request->rows,
                    .gather = times.gather,
                    .batch_rows = times.rows};
    first_row += request->rows;
    octet::Answer(std::move(request), worker, std::move(answer));
  }
  times.scatter = steady_clock::now() - ran;
  metrics->RecordBatch(worker, times);
  TakeBatch();
}

void BatchRun::Refuse(std::size_t worker, Metrics& metrics, const absl::Status& error) {
  for (std::unique_ptr<InferenceRequest>& request : TakeBatch().requests) {
    octet::Refuse(std::move(request), worker, metrics, error);
  }
}

Batch BatchRun::TakeBatch() {
  outputs_ = nullptr;  // what was answered keeps it
  is_ragged_ = false;
  return std::exchange(batch_, {});
}

}  // namespace octet
