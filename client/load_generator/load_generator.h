// SPDX-License-Identifier: Apache-2.0
// Sends inference requests to one endpoint and measures how long each takes.
//
// Closed loop: a fixed number of requests is in flight, each answer sends the next. Open loop: the
// requests have Poisson-distributed due times at a given rate, and a latency counts from the due
// time, so that a slow server cannot hide its queue (coordinated omission).

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace octet::client {

struct LoadOptions {
  std::string address;                     // host:port or unix:PATH
  std::vector<std::string> requests;       // serialized ModelInferRequests, sent in turn; not empty
  std::size_t num_in_flight = 1;           // closed loop; open loop: the most at once
  double requests_per_second = 0;          // above 0: open loop
  std::uint64_t num_requests = 0;          // stops after as many answers; 0: by duration alone
  std::chrono::milliseconds warm_up{500};  // not measured; not used where num_requests is set
  std::chrono::milliseconds duration{5000};
  std::chrono::milliseconds timeout{10000};  // of each request
  std::size_t num_connections = 1;
  std::chrono::milliseconds pause{0};  // closed loop: before each request, with nothing in flight
  // Called in the generator's thread with each good answer and its index in `requests`.
  std::function<void(std::size_t request_index, const std::string& response)> on_response = {};
};

struct LoadReport {
  std::uint64_t num_answered = 0;
  std::map<std::string, std::uint64_t> failures;  // by "CODE: message of the first"
  double seconds = 0;                             // measured, up to the last answer
  std::vector<double> latencies_us;               // of the good answers, ascending
  std::vector<double> failed_latencies_us;        // of the others, ascending

  [[nodiscard]] std::uint64_t num_failed() const;
  [[nodiscard]] double throughput() const;  // good answers a second
  // Of the good answers' latencies (see below).
  [[nodiscard]] double Percentile(double fraction) const;
};

// The latency below which `fraction` (0 to 1) of `latencies`, ascending, lie; 0 without any.
double Percentile(std::span<const double> latencies, double fraction);

// Runs to the end in the calling thread. Returns INVALID_ARGUMENT for options that make no sense
// (also a rate above 1e6 a second),
// UNAVAILABLE if no connection comes about in 5 s.
absl::StatusOr<LoadReport> GenerateLoad(const LoadOptions& options);

}  // namespace octet::client
