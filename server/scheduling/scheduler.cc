// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <cassert>
#include <pthread.h>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/runtime/symbol_binding.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Events that one worker reads before it runs what it has read.
constexpr int kMostEventsAtOnce = 256;

std::int64_t Microseconds(nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

// What a model's settings, if it has any, say of a request of it.
void ApplySettings(const QueuePolicy& policy, InferenceRequest& request) {
  static const ModelScheduling kDefault;
  const ModelScheduling& model = request.scheduling ? *request.scheduling : kDefault;
  request.level = LevelOf(model, request.priority);
  const WaitLimits limits =
      WaitLimitsOf(model, request.level, request.arrival, request.deadline, request.timeout);
  request.deadline = limits.deadline;
  request.start_by = limits.start_by;
  request.delay_at = limits.delay_at;
  if (model.max_batch_rows > 0) request.max_batch_rows = model.max_batch_rows;
  if (model.max_queue_delay > nanoseconds(0)) {
    request.ripe_at = request.admitted + model.max_queue_delay;
  }
  request.due = DueTime(policy, request.arrival, std::min(limits.deadline, limits.start_by),
                        LevelsBehind(model, request.level));
}

// How many rows of the batch have as many positions as `paying_rows`, if they are known (0: not),
// of a typical length.
std::int64_t PayingRowsLike(const BatchRun& run, std::int64_t paying_rows) {
  if (run.positions() == 0 || paying_rows == 0) return paying_rows;
  const double row_positions =
      static_cast<double>(run.positions()) / static_cast<double>(run.rows());
  const double positions =
      static_cast<double>(paying_rows) * static_cast<double>(TypicalPositions(*run.executable()));
  return static_cast<std::int64_t>(std::clamp(positions / row_positions, 1.0,
                                              static_cast<double>(run.executable()->max_rows())));
}

}  // namespace

Scheduler::Scheduler(Options options, Metrics& metrics)
    : options_(std::move(options)),
      metrics_(metrics),
      queue_(options_.queue, {options_.batching, options_.waiting}),
      compute_limit_(options_.compute_threads) {
  assert(options_.compute_threads >= 1);
  const std::size_t num_workers = NumWorkers(options_.compute_threads);
  assert(metrics.num_workers() == num_workers);
  for (std::size_t i = 0; i < num_workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, options_.max_answer_bytes, metrics_));
  }
  num_changes_.resize(num_workers);
  offered_.reserve(options_.compute_threads);
  for (std::size_t place = 0; place < 2 * options_.compute_threads; ++place) {
    runs_.push_back(std::make_unique<BatchRun>());
    active_.emplace_back(options_.compute_threads);
    free_places_.push_back(place);
  }
}

Scheduler::~Scheduler() { Join(); }

void Scheduler::Start(EventSource& events) {
  assert(threads_.empty());
  events_ = &events;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    threads_.emplace_back([this, i] { Work(i); });
    pthread_setname_np(threads_.back().native_handle(), absl::StrCat("w:", i).c_str());
  }
}

void Scheduler::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Status Scheduler::Prepare(std::shared_ptr<const Executable> executable) {
  assert(!threads_.empty());
  const bool takes_batches = executable->takes_batches();
  const std::size_t weight_bytes = executable->packed_byte_size();
  MutexLock change(change_mutex_);
  MutexLock lock(mutex_);
  // Nobody counts for one that was retired any more: every worker has done with it.
  auto known = std::find_if(known_.begin(), known_.end(),
                            [](const Known& each) { return each.executable == nullptr; });
  if (known == known_.end()) known = known_.emplace(known_.end());
  *known = {executable, takes_batches, weight_bytes, 0, {}};
  MakeChange({.executable = std::move(executable)});
  return std::exchange(prepare_error_, absl::OkStatus());
}

void Scheduler::Retire(const std::shared_ptr<const Executable>& executable) {
  assert(!threads_.empty());
  MutexLock change(change_mutex_);
  MutexLock lock(mutex_);
  for (Known& known : known_) {
    if (known.executable == executable) known.executable = nullptr;
  }
  MakeChange({.executable = executable, .is_retired = true});
}

void Scheduler::MakeChange(SessionChange change) {
  changes_.push_back(std::move(change));
  needed_.NotifyAll();
  events_->Wake();
  while (*std::min_element(num_changes_.begin(), num_changes_.end()) == 0) {
    changed_.Wait(mutex_);
  }
  changes_.clear();
  std::fill(num_changes_.begin(), num_changes_.end(), 0);
}

void Scheduler::LimitBatches(const Executable& executable, std::int64_t rows) {
  MutexLock lock(mutex_);
  const std::size_t known = PlaceOf(executable);
  if (known < known_.size()) known_[known].paying_rows = rows;
}

void Scheduler::Submit(std::size_t worker, std::unique_ptr<InferenceRequest> request) {
  absl::Status room;
  {
    MutexLock lock(mutex_);
    request->admitted = steady_clock::now();
    const std::size_t known = PlaceOf(*request->executable);
    if (known < known_.size()) {
      request->least_time = known_[known].time.Least(InputByteSize(*request));
      request->max_batch_rows = known_[known].paying_rows;
    }
    ApplySettings(options_.waiting, *request);
    room = queue_.CheckRoom(*request);
    if (room.ok()) room = CheckWait(*request);
    if (room.ok()) {
      queue_.Push(std::move(request));
      return;
    }
  }
  Refuse(std::move(request), worker, metrics_, std::move(room));
}

std::size_t Scheduler::PlaceOf(const Executable& executable) const {
  std::size_t place = 0;
  while (place < known_.size() && known_[place].executable.get() != &executable) ++place;
  return place;
}

absl::Status Scheduler::CheckWait(const InferenceRequest& request) const {
  const TimePoint end = std::min(request.deadline, request.start_by);
  if (end == kNever || computing_ < compute_limit_) return absl::OkStatus();
  const nanoseconds left = end - request.admitted;
  std::vector<nanoseconds> busy;
  for (const Active& active : active_) {
    if (!active.is_active || active.due_again != kNever) continue;
    busy.push_back(std::max(active.part_end - request.admitted, nanoseconds(0)));
  }
  // Helpers give up what they do as soon as a request waits.
  busy.resize(std::max(busy.size(), compute_limit_));
  const RequestQueue::Ahead ahead = queue_.AheadOf(request, MaxRowsLike(options_.batching, request),
                                                   left * static_cast<std::int64_t>(busy.size()));
  const nanoseconds wait = ExpectedWait({.busy = busy, .work = ahead.work});
  // A queue timeout is over as soon as the batch starts.
  const nanoseconds run =
      end == request.deadline
          ? request.least_time + request.least_time / request.rows * ahead.rows_in_batch
          : nanoseconds(0);
  if (IsInTime(options_.waiting, wait, run, left)) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "the deadline would pass before the answer: it is ", Microseconds(left),
      " us away, what goes before takes about ", Microseconds(wait), " us, and its batch ",
      Microseconds(run), " us; nothing was computed; back off, or give it more time"));
}

void Scheduler::SetComputeThreads(std::size_t count) {
  MutexLock lock(mutex_);
  compute_limit_ = std::clamp<std::size_t>(count, 1, options_.compute_threads);
  needed_.NotifyAll();  // what waits may be computed by more now
}

std::size_t Scheduler::compute_threads() {
  MutexLock lock(mutex_);
  return compute_limit_;
}

void Scheduler::HoldArrivals(TimePoint until) {
  MutexLock lock(mutex_);
  hold_from_ = steady_clock::now();
  hold_until_ = until;
}

RequestQueue::Moment Scheduler::MomentAt(TimePoint now) const {
  // At the end nobody waits for others.
  return {.now = shut_down_ ? kNever : now, .before = now < hold_until_ ? hold_from_ : kNever};
}

void Scheduler::Work(std::size_t index) {
  if (options_.on_thread_start) options_.on_thread_start();
  while (true) {
    if (ChangeSessions(index)) continue;
    if (RunOneBatch(index) || HelpOneBatch(index)) continue;
    if (!PollOrWait(index)) return;
  }
}

bool Scheduler::ChangeSessions(std::size_t index) {
  std::vector<SessionChange> changes;
  {
    MutexLock lock(mutex_);
    changes.assign(changes_.begin() + static_cast<std::ptrdiff_t>(num_changes_[index]),
                   changes_.end());
  }
  if (changes.empty()) return false;
  const std::size_t num_changes = changes.size();
  absl::Status status;
  for (const SessionChange& change : changes) {
    if (change.is_retired) {
      workers_[index]->Forget(*change.executable);
    } else {
      status.Update(workers_[index]->Prepare(change.executable));
    }
  }
  // Who asked for it frees what is left of it, not a worker.
  changes.clear();
  MutexLock lock(mutex_);
  num_changes_[index] += num_changes;
  prepare_error_.Update(status);
  changed_.NotifyAll();
  return true;
}

bool Scheduler::RunOneBatch(std::size_t index) {
  std::size_t place = 0;
  std::int64_t part_rows = 0;
  RowRange part;
  {
    MutexLock lock(mutex_);
    const RequestQueue::Moment moment = MomentAt(steady_clock::now());
    if (computing_ >= compute_limit_) {
      CallHelpersBack(moment);
      return false;
    }
    place = num_made_way_ == 0 ? active_.size() : MadeWayBefore(queue_.DueAt(moment));
    if (place < active_.size()) {
      ++computing_;
      --num_made_way_;
      active_[place].due_again = kNever;
      active_[place].owner_computes = true;
      part = TakePart(place, moment);
    } else {
      Batch batch = queue_.TakeBatch(moment);
      if (batch.requests.empty()) return false;
      ++computing_;
      place = Activate(std::move(batch));
      part_rows = ChoosePartRows(place, moment);
    }
    CallHelpersBack(moment);
    // One in parts wakes others when there are any to take.
    if (part_rows == runs_[place]->rows()) HandOver(active_[place].expected, moment);
  }
  if (part_rows == 0) {
    RunParts(index, place, part);
  } else if (part_rows == runs_[place]->rows()) {
    RunWhole(index, place);
  } else {
    RunInParts(index, place, part_rows);
  }
  return true;
}

void Scheduler::RunWhole(std::size_t index, std::size_t place) {
  const TimePoint start = steady_clock::now();
  const std::size_t byte_size = workers_[index]->Run(*runs_[place]);
  const std::chrono::nanoseconds time = steady_clock::now() - start;
  MutexLock lock(mutex_);
  Release(place, byte_size, time);
}

void Scheduler::RunInParts(std::size_t index, std::size_t place, std::int64_t part_rows) {
  BatchRun& run = *runs_[place];
  Worker& worker = *workers_[index];
  if (!worker.Begin(run)) {
    MutexLock lock(mutex_);
    Release(place, 0, std::chrono::nanoseconds(0));
    return;
  }
  RowRange part;
  {
    MutexLock lock(mutex_);
    active_[place].progress.Begin(run.rows(), part_rows);
    active_[place].owner_computes = true;
    part = TakePart(place, MomentAt(steady_clock::now()));
  }
  RunParts(index, place, part);
}

void Scheduler::RunParts(std::size_t index, std::size_t place, RowRange part) {
  while (true) {
    RowsOutcome outcome = workers_[index]->RunRows(*runs_[place], part, [] { return false; });
    const TimePoint now = steady_clock::now();
    outcome.status.Update(runs_[place]->CheckWanted(now));
    MutexLock lock(mutex_);
    Active& active = active_[place];
    active.progress.Complete(part, outcome, /*helped=*/false);
    if (active.progress.has_part() && !MakesWay(place, now)) {
      part = TakePart(place, MomentAt(now));
      continue;
    }
    UpdateOffer(place);
    active.owner_computes = false;
    if (active.progress.is_complete()) break;
    --computing_;
    if (active.progress.has_part()) {
      active.due_again = runs_[place]->DueAgain(options_.waiting, now);
      ++num_made_way_;
    }  // else a helper has the rest, and answers
    return;
  }
  Finish(index, place);
}

bool Scheduler::MakesWay(std::size_t place, TimePoint now) const {
  return computing_ >= compute_limit_ && num_made_way_ < options_.compute_threads &&
         queue_.DueAt(MomentAt(now)) < runs_[place]->DueAgain(options_.waiting, now);
}

std::size_t Scheduler::MadeWayBefore(TimePoint due) const {
  std::size_t first = active_.size();
  for (std::size_t place = 0; place < active_.size(); ++place) {
    const TimePoint due_again = active_[place].due_again;
    if (due_again == kNever || due_again > due) continue;
    if (first == active_.size() || due_again < active_[first].due_again) first = place;
  }
  return first;
}

bool Scheduler::HelpOneBatch(std::size_t index) {
  std::size_t place = 0;
  RowRange part;
  {
    MutexLock lock(mutex_);
    if (offered_.empty() || computing_ >= compute_limit_) return false;
    const RequestQueue::Moment moment = MomentAt(steady_clock::now());
    if (queue_.HasWork(moment)) return false;
    place = offered_.front();
    // One that has made way gets an owner first.
    if (active_[place].due_again != kNever) return true;
    ++computing_;
    part = TakePart(place, moment);
  }
  const RowsOutcome outcome = workers_[index]->RunRows(
      *runs_[place], part, [this, place, part] { return GivesUp(place, part); });
  {
    MutexLock lock(mutex_);
    const bool gave_up = absl::IsCancelled(outcome.status);
    BatchProgress& progress = active_[place].progress;
    // What was given back may be another batch by now.
    if (!gave_up) {
      progress.Complete(part, outcome, /*helped=*/true);
      UpdateOffer(place);
    }
    if (gave_up || !progress.is_complete()) {
      --computing_;
      return true;
    }
  }
  Finish(index, place);
  return true;
}

bool Scheduler::GivesUp(std::size_t place, RowRange part) {
  if (!helpers_called_back_.load(std::memory_order_relaxed)) return false;
  MutexLock lock(mutex_);
  Active& active = active_[place];
  if (!active.owner_computes || computing_ < compute_limit_ ||
      !queue_.HasWork(MomentAt(steady_clock::now()))) {
    return false;
  }
  // One goes for each request that waits; who takes it calls the next.
  helpers_called_back_.store(false, std::memory_order_relaxed);
  active.progress.GiveBack(part);
  UpdateOffer(place);
  return true;
}

void Scheduler::Finish(std::size_t index, std::size_t place) {
  BatchRun& run = *runs_[place];
  BatchOutcome outcome;
  {
    MutexLock lock(mutex_);
    outcome = active_[place].progress.outcome();
  }
  const std::chrono::nanoseconds gather_time = run.gather_time();
  const TimePoint start = steady_clock::now();
  const std::size_t byte_size = workers_[index]->Finish(run, outcome);
  const std::chrono::nanoseconds finish_time = steady_clock::now() - start;
  MutexLock lock(mutex_);
  Release(place, byte_size, gather_time + outcome.run + finish_time);
}

std::size_t Scheduler::Activate(Batch batch) {
  const std::size_t place = free_places_.back();
  free_places_.pop_back();
  Active& active = active_[place];
  active.known = PlaceOf(*batch.requests.front()->executable);
  active.start = steady_clock::now();
  active.is_active = true;
  active.expected = active.known < known_.size() ? known_[active.known].time.Expect(batch.bytes)
                                                 : std::chrono::nanoseconds(0);
  active.part_end = active.start + active.expected;
  runs_[place]->Begin(std::move(batch));
  return place;
}

void Scheduler::Release(std::size_t place, std::size_t byte_size, std::chrono::nanoseconds time) {
  --computing_;
  free_places_.push_back(place);
  active_[place].is_active = false;
  const std::size_t known = active_[place].known;
  if (byte_size > 0 && known < known_.size()) known_[known].time.Record(byte_size, time);
}

std::int64_t Scheduler::ChoosePartRows(std::size_t place, RequestQueue::Moment moment) const {
  const BatchRun& run = *runs_[place];
  const Active& active = active_[place];
  if (active.known == known_.size() || !known_[active.known].takes_batches) return run.rows();
  const std::size_t may_compute = compute_limit_ - std::min(computing_, compute_limit_);
  return PartRows(options_.batching,
                  {.rows = run.rows(),
                   .max_rows = run.executable()->max_rows(),
                   .weight_bytes = known_[active.known].weight_bytes,
                   .expected = active.expected,
                   .idle_workers = queue_.HasWork(moment) ? 0 : std::min(waiting_, may_compute),
                   .paying_rows = PayingRowsLike(run, known_[active.known].paying_rows)});
}

RowRange Scheduler::TakePart(std::size_t place, RequestQueue::Moment moment) {
  Active& active = active_[place];
  const RowRange part = active.progress.TakePart();
  active.part_end = steady_clock::now() + active.expected / runs_[place]->rows() * part.count;
  UpdateOffer(place);
  HandOver(active.expected, moment);
  return part;
}

void Scheduler::UpdateOffer(std::size_t place) {
  const auto offer = std::find(offered_.begin(), offered_.end(), place);
  const bool is_offered = offer != offered_.end();
  const bool has_part = active_[place].progress.has_part();
  if (is_offered && !has_part) offered_.erase(offer);
  if (!is_offered && has_part) offered_.push_back(place);
}

void Scheduler::HandOver(std::chrono::nanoseconds expected, RequestQueue::Moment moment) {
  const bool one_may_compute = computing_ < compute_limit_;
  const HandOverCase now = {
      .idle_workers = waiting_,
      .polled = polled_,
      .work_is_waiting = one_may_compute && (queue_.HasWork(moment) || !offered_.empty()),
      .expected = expected};
  if (WakesAnother(options_.batching, now)) needed_.NotifyOne();
}

void Scheduler::CallHelpersBack(RequestQueue::Moment moment) {
  helpers_called_back_.store(computing_ >= compute_limit_ && queue_.HasWork(moment),
                             std::memory_order_relaxed);
}

bool Scheduler::HasFullBatch() {
  MutexLock lock(mutex_);
  return queue_.rows() >= options_.batching.max_rows;
}

bool Scheduler::PollOrWait(std::size_t index) {
  TimePoint until = kNever;
  {
    MutexLock lock(mutex_);
    if (num_changes_[index] < changes_.size()) return true;
    const TimePoint now = steady_clock::now();
    if (computing_ < compute_limit_ && (queue_.HasWork(MomentAt(now)) || !offered_.empty())) {
      return true;
    }
    if (shut_down_) {
      if (queue_.empty()) return false;
      // Others compute, or arrivals are held.
      needed_.WaitUntil(mutex_, now + std::chrono::milliseconds(10));
      return true;
    }
    if (polled_) {
      ++waiting_;
      needed_.Wait(mutex_);
      --waiting_;
      return true;
    }
    polled_ = true;
    if (!queue_.empty()) until = queue_.NextRipe(MomentAt(now));
    if (now < hold_until_) until = std::min(until, hold_until_);
  }
  EventSource::Polled polled = events_->Poll(index, until);
  for (int i = 1; i < kMostEventsAtOnce && polled == EventSource::Polled::kHandled; ++i) {
    if (HasFullBatch()) break;
    polled = events_->Poll(index, TimePoint::min());
  }
  MutexLock lock(mutex_);
  polled_ = false;
  if (polled == EventSource::Polled::kShutDown) {
    shut_down_ = true;
    needed_.NotifyAll();
  }
  return true;
}

}  // namespace octet
