// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/tracer.h"

#include <algorithm>
#include <atomic>
#include <pthread.h>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

#include "models/base/bounded_ring.h"
#include "models/base/mutex.h"
#include "server/tracing/export_policy.h"
#include "server/tracing/otlp_encoding.h"

namespace octet {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using TimePoint = steady_clock::time_point;

constexpr std::size_t kMostRequestsAtOnce = 256;

// Of each thread its own; an id is no secret.
std::mt19937_64& Random() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return random;
}

// Not all zeros.
void FillRandom(std::span<std::uint8_t> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    while (i % 8 == 0 && (word = Random()()) == 0) {
    }
    bytes[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
  }
}

double Uniform() { return std::uniform_real_distribution<double>(0, 1)(Random()); }

}  // namespace

struct Tracer::State {
  explicit State(Options given)
      : options(std::move(given)), requests(options.max_requests), client(options.endpoint) {
    std::array<std::uint8_t, 16> instance{};
    FillRandom(instance);
    source = {.service_name = options.service_name,
              .service_version = options.service_version,
              .instance_id = Hex(instance)};
  }

  // Returns at `until`, or when it is to end.
  void SleepUntil(TimePoint until) {
    MutexLock lock(mutex);
    while (!ends && steady_clock::now() < until) changed.WaitUntil(mutex, until);
  }

  std::vector<RequestSpan> TakeSome() {
    std::vector<RequestSpan> taken;
    while (taken.size() < kMostRequestsAtOnce) {
      std::optional<RequestSpan> span = requests.TryPop();
      if (!span) break;
      taken.push_back(*std::move(span));
    }
    return taken;
  }

  static std::uint64_t Count(std::span<const RequestSpan> taken) {
    std::uint64_t count = 0;
    for (const RequestSpan& request : taken) count += NumSpans(request);
    return count;
  }

  // Until the collector has them, or they are given up.
  void Export(std::span<const RequestSpan> taken) {
    const std::string body = EncodeOtlp(taken, source);
    const std::uint64_t count = Count(taken);
    for (int number = 1;; ++number) {
      const absl::StatusOr<CollectorReply> reply = client.Post(body, options.timeout);
      const ExportAttempt attempt = {.number = number,
                                     .status = reply.ok() ? reply->status : 0,
                                     .retry_after = reply.ok() ? reply->retry_after : std::nullopt,
                                     .jitter = Uniform()};
      const ExportVerdict verdict = AfterAttempt(attempt);
      if (verdict.step == ExportStep::kDone) return TakeAnswer(*reply, count);
      const std::string why = reply.ok() ? absl::StrCat("it answered with status ", reply->status)
                                         : std::string(reply.status().message());
      if (verdict.step == ExportStep::kGiveUp || !WaitsFor(verdict.wait)) {
        failed += count;
        if (!is_abandoned) {
          spdlog::warn("tracing: the collector did not take {} spans, which are lost: {}", count,
                       why);
        }
        return;
      }
    }
  }

  // Whether there is time for a retry, which it waits for.
  bool WaitsFor(milliseconds wait) {
    const TimePoint until = steady_clock::now() + wait;
    SleepUntil(until);
    if (!ends) return true;
    if (until >= TimePoint(steady_clock::duration(give_up_at.load()))) return false;
    std::this_thread::sleep_until(until);
    return true;
  }

  void TakeAnswer(const CollectorReply& reply, std::uint64_t count) {
    const std::optional<RejectedSpans> rejected = DecodeOtlpAnswer(reply.body);
    const std::uint64_t num_rejected =
        rejected ? std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(rejected->count, 0)),
                            count)
                 : 0;
    exported += count - num_rejected;
    failed += num_rejected;
    if (num_rejected > 0 && !is_abandoned) {
      spdlog::warn("tracing: the collector refused {} spans: {}", num_rejected,
                   rejected->message.substr(0, 256));
    }
  }

  const Options options;
  BoundedRing<RequestSpan> requests;
  CollectorClient client;
  TraceSource source;
  std::atomic<std::uint32_t> wake{0};
  std::atomic<bool> is_asleep{false};
  std::atomic<bool> ends{false};
  std::atomic<bool> is_abandoned{false};  // nobody waits for the thread any more
  std::atomic<std::uint32_t> has_ended{0};
  std::atomic<steady_clock::rep> give_up_at{0};
  std::atomic<std::uint64_t> exported{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> failed{0};
  Mutex mutex;  // of nothing but the wait
  CondVar changed;
};

Tracer::Tracer(Options options)
    : sample_(options.sample), state_(std::make_shared<State>(std::move(options))) {
  std::thread thread([state = state_] { Run(*state); });
  pthread_setname_np(thread.native_handle(), "trace");
  thread.detach();  // Stop waits for it, but not for a name that is not found
}

Tracer::~Tracer() { Stop(); }

std::optional<Tracer::Begun> Tracer::Begin(const std::optional<TraceContext>& caller) const {
  if (caller ? !caller->is_sampled : (sample_ < 1 && Uniform() >= sample_)) return std::nullopt;
  Begun begun;
  if (caller) {
    begun.trace_id = caller->trace_id;
  } else {
    FillRandom(begun.trace_id);
  }
  FillRandom(begun.span_id);
  return begun;
}

void Tracer::End(RequestSpan span) {
  State& state = *state_;
  if (state.ends) {
    state.dropped += NumSpans(span);
    return;
  }
  while (!state.requests.TryPush(span)) {
    const std::optional<RequestSpan> oldest = state.requests.TryPop();
    // Nothing, where the oldest is just being put in or taken out.
    state.dropped += NumSpans(oldest ? *oldest : span);
    if (!oldest) return;
  }
  // Only the first after a pause has to wake the thread.
  if (!state.is_asleep.load() || !state.is_asleep.exchange(false)) return;
  ++state.wake;
  state.wake.notify_one();
}

void Tracer::Stop() {
  if (std::exchange(is_stopped_, true)) return;
  State& state = *state_;
  const TimePoint until = steady_clock::now() + state.options.flush;
  state.give_up_at = until.time_since_epoch().count();
  state.client.GiveUpAt(until);
  {
    MutexLock lock(state.mutex);
    state.ends = true;
    state.changed.NotifyAll();
  }
  ++state.wake;
  state.wake.notify_one();
  constexpr milliseconds kLook{2};
  constexpr milliseconds kGrace{500};
  while (state.has_ended == 0 && steady_clock::now() < until + kGrace) {
    std::this_thread::sleep_for(kLook);
  }
  state.is_abandoned = true;
}

Tracer::Counts Tracer::counts() const {
  return {.exported = state_->exported, .dropped = state_->dropped, .failed = state_->failed};
}

void Tracer::Run(State& state) {
  while (true) {
    const std::uint32_t seen = state.wake.load();
    state.is_asleep = true;
    std::vector<RequestSpan> taken = state.TakeSome();
    if (taken.empty()) {
      if (state.ends) break;
      state.wake.wait(seen);
      // What comes soon after goes along.
      state.SleepUntil(steady_clock::now() + state.options.interval);
      continue;
    }
    state.is_asleep = false;
    while (!taken.empty()) {
      if (state.ends && steady_clock::now().time_since_epoch().count() >= state.give_up_at) {
        state.failed += State::Count(taken);
      } else {
        state.Export(taken);
      }
      const bool was_full = taken.size() == kMostRequestsAtOnce;
      taken = was_full ? state.TakeSome() : std::vector<RequestSpan>();
    }
    // Not for each request a call of its own.
    if (!state.ends) state.SleepUntil(steady_clock::now() + state.options.interval);
  }
  state.has_ended = 1;
}

}  // namespace octet
