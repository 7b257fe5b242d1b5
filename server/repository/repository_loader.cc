// SPDX-License-Identifier: Apache-2.0

#include "server/repository/repository_loader.h"

#include <algorithm>
#include <iterator>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "server/repository/batch_limit.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;

// How much the thread that loads gives way to those that answer requests.
constexpr int kNiceness = 10;
// Between two looks at whether the last request of a version is answered.
constexpr std::chrono::milliseconds kLookEvery{10};

constexpr char kNotYet[] = "it is not loaded yet; try again later";
constexpr char kHeldOut[] = "it was unloaded on request; RepositoryModelLoad loads it again";

absl::Status ShuttingDown() {
  return absl::UnavailableError("the server is shutting down; retry elsewhere");
}

absl::Status UnknownModel(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("model ", Quoted(name),
                                          " is not in the model repository; the repository index "
                                          "lists what there is"));
}

LoadOutcome Refusal(const std::string& name, std::int64_t version, absl::Status status) {
  LoadOutcome outcome;
  outcome.name = name;
  if (version > 0) outcome.version = absl::StrCat(version);
  outcome.status = std::move(status);
  outcome.step = LoadStep::kFind;
  return outcome;
}

// Whether it may be that the bundle's files are still being written.
bool MayBeIncomplete(const LoadOutcome& outcome) {
  return outcome.step == LoadStep::kFind || outcome.step == LoadStep::kRead;
}

// The allocator keeps what is freed, above all what lies between blocks that are still used; large
// blocks alone go back by themselves.
void GiveMemoryBack() { malloc_trim(0); }

}  // namespace

RepositoryLoader::RepositoryLoader(Options options, Rooms rooms)
    : options_(std::move(options)), rooms_(rooms) {}

RepositoryLoader::~RepositoryLoader() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

const VersionPolicy& RepositoryLoader::PolicyOf(const std::string& name) const {
  static const VersionPolicy kDefault;
  const auto settings = options_.models.find(name);
  return settings == options_.models.end() ? kDefault : settings->second.policy;
}

LoadPlan RepositoryLoader::PlanOf(const std::string& name, const Model& model) const {
  std::vector<VersionRecord> records;
  records.reserve(model.versions.size());
  for (const auto& [number, version] : model.versions) records.push_back(version.record);
  return PlanLoads(PolicyOf(name), model.is_held_out, records, options_.times, options_.now());
}

absl::Status RepositoryLoader::LoadAll(const std::function<bool()>& keep_going) {
  ASSIGN_OR_RETURN(const Listing listing, ListStore(options_.path));
  TakeListing(listing);
  for (auto& [name, model] : models_) {
    while (true) {
      const LoadPlan plan = PlanOf(name, model);
      DescribeLeftOut(name, model, plan.left_out);
      if (plan.load.empty()) break;
      if (stopped() || (keep_going && !keep_going())) {
        return absl::CancelledError("loading was stopped");
      }
      static_cast<void>(Try(name, model.versions.at(plan.load.front()), /*is_last_word=*/true));
    }
  }
  return absl::OkStatus();
}

void RepositoryLoader::Start() {
  is_aside_ = true;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "load");
    Work();
  });
}

void RepositoryLoader::Stop() {
  stopped_.store(true, std::memory_order_relaxed);
  { MutexLock lock(exchange_mutex_); }
  std::vector<Command> unheard;
  {
    MutexLock lock(mutex_);
    unheard.swap(commands_);
    woken_.NotifyAll();
  }
  for (const Command& command : unheard) command.done(ShuttingDown());
}

void RepositoryLoader::SetListing(Listing listing) {
  MutexLock lock(mutex_);
  listing_ = std::move(listing);
  woken_.NotifyAll();
}

void RepositoryLoader::Load(const std::string& model, Done done) {
  Ask({.is_load = true, .model = model, .done = std::move(done)});
}

void RepositoryLoader::Unload(const std::string& model, Done done) {
  Ask({.is_load = false, .model = model, .done = std::move(done)});
}

void RepositoryLoader::Ask(Command command) {
  {
    MutexLock lock(mutex_);
    // Who stops takes what is there by then.
    if (!stopped()) {
      commands_.push_back(std::move(command));
      woken_.NotifyAll();
      return;
    }
  }
  command.done(ShuttingDown());
}

void RepositoryLoader::Work() {
  std::optional<nanoseconds> next;
  while (!stopped()) {
    next = Turn();
    MutexLock lock(mutex_);
    while (!stopped() && !listing_ && commands_.empty() && (!next || options_.now() < *next)) {
      if (next) {
        woken_.WaitUntil(mutex_, std::chrono::steady_clock::time_point(*next));
      } else {
        woken_.Wait(mutex_);
      }
    }
  }
  AnswerWaiting(ShuttingDown(), /*all=*/true);
}

std::optional<nanoseconds> RepositoryLoader::Turn() {
  std::optional<Listing> listing;
  std::vector<Command> commands;
  {
    MutexLock lock(mutex_);
    listing = std::exchange(listing_, std::nullopt);
    commands.swap(commands_);
  }
  if (listing) TakeListing(*listing);
  for (Command& command : commands) Obey(std::move(command));
  FreeRetired();

  std::optional<nanoseconds> next;
  const auto at = [&next](nanoseconds when) { next = next ? std::min(*next, when) : when; };
  for (auto& [name, model] : models_) {
    const LoadPlan plan = PlanOf(name, model);
    DescribeLeftOut(name, model, plan.left_out);
    for (const std::int64_t version : plan.unload) TakeAway(name, model, version);
    if (!plan.load.empty() && !stopped()) {
      static_cast<void>(Try(name, model.versions.at(plan.load.front()), /*is_last_word=*/false));
      at(options_.now());  // it changed what is to be done
    }
    if (plan.next) at(*plan.next);
  }
  DropGone();
  if (!stopped()) AnswerWaiting(absl::OkStatus(), /*all=*/false);
  if (!retiring_.empty()) at(options_.now() + kLookEvery);
  return next;
}

void RepositoryLoader::TakeListing(const Listing& listing) {
  const nanoseconds now = options_.now();
  std::map<std::string, const StoredModel*> stored;
  for (const StoredModel& model : listing) stored[model.name] = &model;
  for (const auto& [name, model] : stored) {
    Model& known = models_[name];
    if (!model->status.ok()) {
      RefuseModel(*model, known);
    } else if (!known.stored.ok()) {
      known.stored = absl::OkStatus();
      rooms_.repository.Forget(name, 0);
      rooms_.metrics.ForgetLoadFailure(name, "");
    }
    for (const StoredVersion& version : model->versions) TakeVersion(*model, version, known);
  }
  for (auto& [name, model] : models_) {
    const auto found = stored.find(name);
    for (auto& [number, version] : model.versions) {
      const bool is_there =
          found != stored.end() &&
          std::any_of(found->second->versions.begin(), found->second->versions.end(),
                      [n = number](const StoredVersion& each) { return each.version == n; });
      if (is_there || !version.record.is_stored) continue;
      version.record.is_stored = false;
      version.record.changed_at = now;
    }
    if (found == stored.end() && !model.stored.ok()) {
      model.stored = absl::OkStatus();
      rooms_.repository.Forget(name, 0);
      rooms_.metrics.ForgetLoadFailure(name, "");
    }
  }
  DropGone();
}

void RepositoryLoader::RefuseModel(const StoredModel& stored, Model& model) {
  // One whose versions go is described by these.
  if (!model.versions.empty() || model.stored == stored.status) return;
  model.stored = stored.status;
  const LoadOutcome outcome = Refusal(stored.name, 0, stored.status);
  rooms_.repository.Describe(stored.name, 0, VersionState::kUnavailable, DescribeFailure(outcome));
  // A folder that has just come is filled in a moment.
  if (is_aside_) return;
  rooms_.metrics.RecordLoadFailure(stored.name, "", LoadStep::kFind);
  if (options_.on_outcome) options_.on_outcome(outcome);
}

void RepositoryLoader::TakeVersion(const StoredModel& stored, const StoredVersion& version,
                                   Model& model) {
  Version& known = model.versions[version.version];
  VersionRecord& record = known.record;
  const std::string fingerprint =
      version.status.ok() ? version.fingerprint : std::string(version.status.message());
  if (record.is_stored && record.fingerprint == fingerprint && known.path == version.path) return;
  record.version = version.version;
  record.is_stored = true;
  record.fingerprint = fingerprint;
  record.changed_at = options_.now();
  known.path = version.path;
  known.stored = version.status;
  if (record.last_try == LoadTry::kNone) {
    rooms_.repository.Describe(stored.name, version.version, VersionState::kLoading, kNotYet);
  }
}

void RepositoryLoader::DropGone() {
  for (auto model = models_.begin(); model != models_.end();) {
    std::erase_if(model->second.versions, [&, this](const auto& entry) {
      const auto& [number, version] = entry;
      if (version.record.is_stored || version.record.is_served) return false;
      const bool is_inside =
          std::any_of(retiring_.begin(), retiring_.end(), [&, n = number](const Retiring& old) {
            return old.is_unloaded && old.handle->name == model->first && old.handle->version == n;
          });
      if (is_inside) return false;
      rooms_.repository.Forget(model->first, number);
      rooms_.metrics.ForgetLoadFailure(model->first, absl::StrCat(number));
      return true;
    });
    const bool is_gone = model->second.versions.empty() && model->second.stored.ok();
    model = is_gone ? models_.erase(model) : std::next(model);
  }
}

void RepositoryLoader::DescribeLeftOut(const std::string& name, const Model& model,
                                       const std::vector<std::int64_t>& versions) {
  for (const std::int64_t version : versions) {
    const bool is_inside =
        std::any_of(retiring_.begin(), retiring_.end(), [&](const Retiring& old) {
          return old.is_unloaded && old.handle->name == name && old.handle->version == version;
        });
    if (is_inside) continue;
    rooms_.repository.Describe(name, version, VersionState::kUnavailable,
                               model.is_held_out
                                   ? kHeldOut
                                   : absl::StrCat("the model's version policy, ",
                                                  ToString(PolicyOf(name)), ", leaves it out"));
  }
}

absl::Status RepositoryLoader::Try(const std::string& name, Version& version, bool is_last_word) {
  VersionRecord& record = version.record;
  LoadOutcome outcome = Refusal(name, record.version, version.stored);
  if (version.stored.ok()) {
    outcome = LoadAside({.name = name,
                         .version = record.version,
                         .path = version.path,
                         .served = rooms_.repository.Served(name, record.version),
                         .stops = [this] { return stopped(); },
                         .counts_failure = false});
  }
  if (outcome.handle) outcome.status = Exchange(outcome.handle);
  if (absl::IsCancelled(outcome.status)) return outcome.status;
  record.tried_at = options_.now();
  record.tried_fingerprint = record.fingerprint;
  if (!outcome.status.ok()) {
    outcome.handle = nullptr;
    Refuse(outcome, version, is_last_word);
    return outcome.status;
  }
  record.last_try = LoadTry::kLoaded;
  record.is_served = true;
  rooms_.metrics.ForgetLoadFailure(name, outcome.version);
  if (outcome.is_unchanged) {
    rooms_.repository.Describe(name, record.version, VersionState::kReady, "");
  } else if (options_.on_outcome) {
    options_.on_outcome(outcome);
  }
  return absl::OkStatus();
}

LoadOutcome RepositoryLoader::LoadAside(const LoadOrder& order) {
  if (!is_aside_) return rooms_.loader.Load(order);
  LoadOutcome outcome;
  // A thread of its own, for one that has made way cannot take that back, and this one takes locks
  // that workers take.
  std::thread thread([&] {
    pthread_setname_np(pthread_self(), "bundle");
    // Where it is refused the work is done all the same.
    static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness));
    if (options_.on_thread_start) options_.on_thread_start();
    outcome = rooms_.loader.Load(order);
  });
  thread.join();
  return outcome;
}

absl::Status RepositoryLoader::Exchange(const ModelHandle& handle) {
  absl::Status status = absl::CancelledError("stopped");
  RunUnlessStopped([&] {
    status = rooms_.scheduler != nullptr ? rooms_.scheduler->Prepare(handle->executable)
                                         : absl::OkStatus();
    if (!status.ok()) {
      rooms_.scheduler->Retire(handle->executable);
      return;
    }
    ApplyBatchLimit(*handle, handle->paying_rows, rooms_.repository.SettingsOf(handle->name),
                    rooms_.scheduler);
    if (ModelHandle old = rooms_.repository.Publish(handle)) {
      retiring_.push_back({.handle = std::move(old), .is_unloaded = false});
    }
    if (options_.on_change) options_.on_change();
  });
  return status;
}

void RepositoryLoader::Refuse(const LoadOutcome& outcome, Version& version, bool is_last_word) {
  VersionRecord& record = version.record;
  const bool waits = !is_last_word && MayBeIncomplete(outcome) &&
                     record.tried_at < record.changed_at + options_.times.settle;
  record.last_try = waits ? LoadTry::kIncomplete : LoadTry::kRefused;
  std::string reason = DescribeFailure(outcome);
  if (waits) {
    reason = absl::StrCat("its files are not whole yet, or still being written; so far: ", reason);
  }
  if (record.is_served) {
    reason = absl::StrCat("it serves as it was before its files changed; now: ", reason);
  }
  rooms_.repository.Describe(outcome.name, record.version,
                             waits ? VersionState::kLoading : VersionState::kUnavailable,
                             std::move(reason));
  if (waits) return;
  rooms_.metrics.RecordLoadFailure(outcome.name, outcome.version, outcome.step);
  if (record.is_served) rooms_.metrics.ForgetLoadFailure(outcome.name, outcome.version);
  if (options_.on_outcome) options_.on_outcome(outcome);
}

void RepositoryLoader::TakeAway(const std::string& name, Model& model, std::int64_t number) {
  Version& version = model.versions.at(number);
  RunUnlessStopped([&] {
    ModelHandle old = rooms_.repository.TakeAway(
        name, number,
        model.is_held_out ? kHeldOut : "no longer to be served; its last requests are answered");
    if (old) retiring_.push_back({.handle = std::move(old), .is_unloaded = true});
    version.record.is_served = false;
    version.record.last_try = LoadTry::kNone;
    if (options_.on_change) options_.on_change();
  });
}

void RepositoryLoader::FreeRetired() {
  bool freed = false;
  for (std::size_t i = 0; i < retiring_.size();) {
    Retiring& old = retiring_[i];
    // Nobody can get hold of it any more: what is inside holds it until it is answered.
    if (old.handle.use_count() > 1) {
      ++i;
      continue;
    }
    const bool ran = RunUnlessStopped([&] {
      if (rooms_.scheduler != nullptr) rooms_.scheduler->Retire(old.handle->executable);
    });
    if (!ran) return;
    retiring_.erase(retiring_.begin() + static_cast<std::ptrdiff_t>(i));
    freed = true;
  }
  if (freed) GiveMemoryBack();
}

void RepositoryLoader::AnswerWaiting(const absl::Status& status, bool all) {
  std::vector<Command> answered;
  std::erase_if(waiting_, [&](Command& command) {
    const bool is_inside = std::any_of(
        retiring_.begin(), retiring_.end(),
        [&](const Retiring& old) { return old.is_unloaded && old.handle->name == command.model; });
    if (!all && is_inside) return false;
    answered.push_back(std::move(command));
    return true;
  });
  for (const Command& command : answered) command.done(status);
}

void RepositoryLoader::Obey(Command command) {
  if (command.is_load) return command.done(LoadNow(command.model));
  const auto model = models_.find(command.model);
  if (model == models_.end()) return command.done(UnknownModel(command.model));
  model->second.is_held_out = true;
  for (const std::int64_t version : PlanOf(model->first, model->second).unload) {
    TakeAway(model->first, model->second, version);
  }
  // Answered with what is freed.
  waiting_.push_back(std::move(command));
}

absl::Status RepositoryLoader::LoadNow(const std::string& name) {
  ASSIGN_OR_RETURN(const Listing listing, ListStore(options_.path));
  TakeListing(listing);
  const auto found = models_.find(name);
  if (found == models_.end()) return UnknownModel(name);
  Model& model = found->second;
  if (model.versions.empty()) return model.stored;
  model.is_held_out = false;
  for (auto& [number, version] : model.versions) {
    // What was refused is tried once more, however long ago that was.
    if (version.record.last_try != LoadTry::kLoaded) version.record.last_try = LoadTry::kNone;
    version.record.tried_at = nanoseconds::min() / 2;
  }
  absl::Status status;
  while (!stopped()) {
    const LoadPlan plan = PlanOf(name, model);
    if (plan.load.empty()) return status;
    const std::int64_t number = plan.load.front();
    const absl::Status tried = Try(name, model.versions.at(number), /*is_last_word=*/true);
    if (status.ok() && !tried.ok()) {
      status = {tried.code(), absl::StrCat("model ", Quoted(name), " version ", number,
                                           " cannot be loaded: ", tried.message())};
    }
  }
  return ShuttingDown();
}

bool RepositoryLoader::RunUnlessStopped(absl::FunctionRef<void()> work) {
  MutexLock lock(exchange_mutex_);
  if (stopped()) return false;
  work();
  return true;
}

}  // namespace octet
