// SPDX-License-Identifier: Apache-2.0
// The path of one request from a front end to the scheduler, whatever it came in by.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "server/inference/request_observer.h"
#include "server/metrics/metrics.h"
#include "server/repository/model_repository.h"
#include "server/scheduling/answer_order.h"
#include "server/scheduling/drain_gate.h"
#include "server/scheduling/request.h"
#include "server/scheduling/scheduler.h"
#include "server/shared_memory/shared_memory_regions.h"

namespace octet {

enum class ServerState : std::uint8_t {
  kStarting,  // models load; requests are refused
  kServing,
  kDraining,  // not ready any more, but requests are served
};

// Thread safety: any thread may call any method, but for Infer: a worker while it polls.
class InferenceService {
 public:
  // All are borrowed for as long as the service lives, and until its last request is answered.
  // Without `memory`, requests that name shared memory are refused.
  InferenceService(const ModelRepository& repository, Scheduler& scheduler, Metrics& metrics,
                   SharedMemoryRegions* memory = nullptr);

  // Answers `request`, now or later. The front end has filled its part in. `worker` is the calling
  // worker's index.
  void Infer(std::size_t worker, std::unique_ptr<InferenceRequest> request);

  // Answers a request that a front end could not read.
  void Reject(std::size_t worker, std::unique_ptr<InferenceRequest> request, absl::Status error);

  void SetState(ServerState state) { state_.store(state, std::memory_order_release); }
  [[nodiscard]] ServerState state() const { return state_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_ready() const { return state() == ServerState::kServing; }

  // Every request inside the server has passed it.
  [[nodiscard]] DrainGate& gate() { return gate_; }
  [[nodiscard]] std::int64_t requests_in_flight() const { return gate_.inside(); }
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }

  // Who keeps records of requests, for front ends to begin them; null: nobody. Borrowed. Set before
  // the first request.
  void SetObserver(RequestObserver* observer) { observer_ = observer; }
  [[nodiscard]] RequestObserver* observer() const { return observer_; }

 private:
  // Everything before the queue. On success the request is complete.
  absl::Status Admit(InferenceRequest& request);
  // Where answers leave in the order of the requests, has the request take its place in it.
  void TakePlace(InferenceRequest& request);
  // The request's tensors to the model's.
  absl::Status Bind(const ModelHandle& model, InferenceRequest& request);

  const ModelRepository& repository_;
  Scheduler& scheduler_;
  Metrics& metrics_;
  RequestObserver* observer_ = nullptr;
  // Of the models that ask for it.
  std::map<const ModelScheduling*, std::shared_ptr<AnswerOrder>> orders_;
  SharedMemoryRegions* const memory_;
  DrainGate gate_;
  std::atomic<ServerState> state_{ServerState::kStarting};
};

}  // namespace octet
