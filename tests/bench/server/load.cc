// SPDX-License-Identifier: Apache-2.0
// Sends one request over and over to an endpoint of any server that speaks the Open Inference
// Protocol over gRPC, and prints one line of JSON: how many were answered, how fast, and what the
// sending itself cost. run.py starts one for each stretch that it measures.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

#include "client/client.h"
#include "client/load_generator/load_generator.h"
#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet::client {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs;
  LoadOptions load;
  double seconds = 4;
  double warm_up_seconds = 0.5;
  double pause_seconds = 0;
  double timeout_seconds = 10;
};

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

// `specification` is NAME:DATATYPE:DIM,DIM...; floats are between 0 and 1, integers between 0 and
// 99, from a seed.
absl::StatusOr<WireTensor> MakeInput(const std::string& specification) {
  const std::vector<std::string> parts = absl::StrSplit(specification, ':');
  const auto type = parts.size() == 3 ? ParseDataType(parts[1]) : std::nullopt;
  if (!type) {
    return absl::InvalidArgumentError(
        absl::StrCat("--input is \"", specification, "\", want NAME:DATATYPE:DIM,DIM..."));
  }
  WireTensor input{.name = parts[0], .datatype = parts[1], .shape = {}, .bytes = {}};
  for (const absl::string_view dim : absl::StrSplit(parts[2], ',')) {
    if (!absl::SimpleAtoi(dim, &input.shape.emplace_back()) || input.shape.back() < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--input \"", specification, "\" has the dimension \"", dim, "\""));
    }
  }
  std::mt19937 random(20250101);
  Tensor tensor(*type, input.shape);
  switch (*type) {
    case DataType::kFloat32:
      for (float& value : tensor.as<float>()) {
        value = static_cast<float>(random() % 1024) / 1024.0F;
      }
      break;
    case DataType::kInt64:
      for (std::int64_t& value : tensor.as<std::int64_t>()) value = random() % 100;
      break;
    default:
      return absl::UnimplementedError(
          absl::StrCat("--input \"", specification, "\": only FP32 and INT64 can be made up"));
  }
  input.bytes.assign(tensor.view().as<char>(), tensor.bytes().size());
  return input;
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

nlohmann::ordered_json Describe(const LoadReport& report, double cpu_seconds) {
  const std::vector<double>& refused = report.failed_latencies_us;
  return {{"answered", report.num_answered},
          {"failures", report.failures},
          {"seconds", report.seconds},
          {"requests_per_second", report.throughput()},
          {"p50_us", report.Percentile(0.5)},
          {"p90_us", report.Percentile(0.9)},
          {"p99_us", report.Percentile(0.99)},
          {"max_us", report.Percentile(1)},
          {"failed_p50_us", Percentile(refused, 0.5)},
          {"failed_p99_us", Percentile(refused, 0.99)},
          {"client_cpu_seconds", cpu_seconds}};
}

absl::Status Run(Options options) {
  InferRequest request{.model = options.model};
  for (const std::string& specification : options.inputs) {
    ASSIGN_OR_RETURN(WireTensor input, MakeInput(specification));
    request.inputs.push_back(std::move(input));
  }
  options.load.requests = {SerializeInferRequest(request)};
  options.load.duration = Milliseconds(options.seconds);
  options.load.warm_up = Milliseconds(options.warm_up_seconds);
  options.load.pause = Milliseconds(options.pause_seconds);
  options.load.timeout = Milliseconds(options.timeout_seconds);
  const double before = CpuSeconds();
  ASSIGN_OR_RETURN(const LoadReport report, GenerateLoad(options.load));
  std::cout << Describe(report, CpuSeconds() - before) << std::endl;
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Sends one request over and over and prints what that took, as JSON.");
  Options options;
  app.add_option("--address", options.load.address, "host:port or unix:PATH")->required();
  app.add_option("--model", options.model)->required();
  app.add_option("--input", options.inputs, "NAME:DATATYPE:DIM,DIM...")->required();
  app.add_option("--in-flight", options.load.num_in_flight, "open loop: the most at once");
  app.add_option("--connections", options.load.num_connections);
  app.add_option("--rate", options.load.requests_per_second, "open loop: requests a second");
  app.add_option("--requests", options.load.num_requests, "ends after so many, without warm-up");
  app.add_option("--seconds", options.seconds);
  app.add_option("--warm-up", options.warm_up_seconds, "seconds before, not measured");
  app.add_option("--pause", options.pause_seconds, "seconds before each request, one in flight");
  app.add_option("--timeout", options.timeout_seconds, "seconds, of each request");
  CLI11_PARSE(app, argc, argv);
  if (const absl::Status status = Run(std::move(options)); !status.ok()) {
    std::cerr << "load: " << status.message() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace octet::client

int main(int argc, char** argv) { return octet::client::Main(argc, argv); }
