// SPDX-License-Identifier: Apache-2.0
// Measures endpoints of a running server side by side: latency, throughput, and what they answer.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include "client/load_generator/load_generator.h"
#include "models/tensor/tensor.h"

namespace octet::cli {

struct EndpointBenchOptions {
  std::string address = "localhost:8001";
  std::vector<std::string> models =
      {};  // at least one; the first is what the others are compared with
  std::vector<std::string> inputs = {};  // --input arguments; none: random numbers
  std::string labels = {};               // a file; empty: no accuracy
  std::int64_t batch = 1;                // rows a request
  std::size_t num_in_flight = 1;
  double requests_per_second = 0;  // above 0: open loop
  std::size_t num_connections = 1;
  std::chrono::milliseconds duration{5000};  // of each model
  std::chrono::milliseconds timeout{10000};
  int num_rounds = 5;  // the models take turns as often, so that a slow moment hits them all
  std::shared_ptr<const client::Credentials> credentials =
      nullptr;  // null: neither TLS nor a token
};

struct EndpointResult {
  std::string model;
  std::string version = {};
  client::LoadReport load = {};  // of all rounds
  // The first output of every row, as float32 [rows, elements]; compared with the first model's.
  Tensor outputs = {};
  std::optional<double> accuracy = {};   // share of rows whose largest output is the label's
  std::optional<double> agreement = {};  // share of rows whose largest output is the first model's
  std::optional<double> cosine = {};     // mean over rows, with the first model's
};

// Returns the errors of the files and of the server, naming the model.
absl::StatusOr<std::vector<EndpointResult>> BenchEndpoints(const EndpointBenchOptions& options);

// Returns UNAVAILABLE for the first model of which a measured request failed: how many, of how
// many, and the first error of each code.
absl::Status CheckAllAnswered(const std::vector<EndpointResult>& results);
// The same for the first model of which no measured request was answered.
absl::Status CheckSomeAnswered(const std::vector<EndpointResult>& results);

// For people, and for programs.
std::string ResultTable(const std::vector<EndpointResult>& results);
nlohmann::ordered_json ResultJson(const std::vector<EndpointResult>& results);

}  // namespace octet::cli
