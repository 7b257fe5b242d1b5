// SPDX-License-Identifier: Apache-2.0
// `octet bench`: endpoints of a running server, or a bundle in this process.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/cli/attention_precision.h"
#include "client/cli/commands.h"
#include "client/cli/endpoint_bench.h"
#include "client/cli/engine_bench.h"
#include "client/cli/kernel_choices.h"
#include "client/cli/server_options.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

struct BenchOptions {
  ServerOptions server;
  EndpointBenchOptions endpoint;
  EngineBenchOptions engine;
  std::string model;
  std::vector<std::string> compare;
  double seconds = 5;
  bool profile = false;
  bool json = false;
};

absl::Status BenchServer(BenchOptions options) {
  options.endpoint.models =
      options.model.empty() ? options.compare : std::vector<std::string>{options.model};
  options.endpoint.duration =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
  options.endpoint.address = options.server.address;
  ASSIGN_OR_RETURN(options.endpoint.credentials, LoadCredentials(options.server));
  const auto measured = BenchEndpoints(options.endpoint);
  if (!measured.ok()) {
    return Explain(measured.status(), options.server, options.endpoint.credentials.get());
  }
  const std::vector<EndpointResult>& results = *measured;
  if (options.json) {
    std::cout << ResultJson(results).dump(2) << "\n";
  } else {
    std::cout << ResultTable(results);
  }
  for (const EndpointResult& result : results) {
    for (const auto& [message, count] : result.load.failures) {
      std::cerr << result.model << ": " << count << " requests failed, the first with " << message
                << "\n";
    }
  }
  return CheckSomeAnswered(results);
}

absl::Status ProfileBundle(const BenchOptions& options) {
  ASSIGN_OR_RETURN(const StepProfile profile, ProfileEngine(options.engine));
  if (options.json) {
    std::cout << StepProfileJson(profile).dump(2) << "\n";
  } else {
    std::cout << options.engine.bundle << ", " << StepProfileText(profile);
  }
  return absl::OkStatus();
}

absl::Status BenchBundle(BenchOptions options) {
  options.engine.batch = options.endpoint.batch;
  options.engine.inputs = options.endpoint.inputs;
  options.engine.duration =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
  if (options.profile) return ProfileBundle(options);
  ASSIGN_OR_RETURN(const EngineResult result, BenchEngine(options.engine));
  if (options.json) {
    std::cout << EngineResultJson(result).dump(2) << "\n";
    return absl::OkStatus();
  }
  std::cout << absl::StrFormat(
      "%s on %s: batch %d, %d threads: best %.1f us, median %.1f us, %.0f rows/s\n",
      options.engine.bundle, result.kernel_set, options.engine.batch, options.engine.num_threads,
      result.best_us, result.median_us, result.rows_per_second);
  return absl::OkStatus();
}

}  // namespace

void AddBench(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "bench",
      "Measure endpoints of a server, or a bundle in this process.\n"
      "Example: octet bench --compare digits-fp32 digits-int8 --address localhost:8001 "
      "--input x.npy --labels y.npy\n"
      "Example: octet bench --bundle models/digits/1 --batch 8\n"
      "Example: octet bench --bundle models/digits/1 --profile");
  const auto options = std::make_shared<BenchOptions>();
  command->add_option("model", options->model, "A model of the server");
  command->add_option("--compare", options->compare, "Models, side by side with the first")
      ->expected(2, 64);
  auto* const bundle =
      command->add_option("--bundle", options->engine.bundle, "A bundle, measured in this process");
  AddServerOptions(*command, options->server);
  command->add_option("--input", options->endpoint.inputs,
                      "NAME=FILE.npy, or FILE.npy for a single input; default: random rows");
  command->add_option("--labels", options->endpoint.labels, "FILE.npy with a class for each row");
  command->add_option("--batch", options->endpoint.batch, "Rows of a request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--concurrency", options->endpoint.num_in_flight, "Requests in flight")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--rate", options->endpoint.requests_per_second,
                      "Open loop: requests a second, Poisson arrivals");
  command->add_option("--connections", options->endpoint.num_connections, "TCP connections")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--seconds", options->seconds, "Time measured, for each model")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--rounds", options->endpoint.num_rounds, "Turns that models take")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  auto* const threads =
      command->add_option("--threads", options->engine.num_threads, "Threads, with --bundle")
          ->capture_default_str()
          ->check(CLI::PositiveNumber);
  command->add_option("--kernel-set", options->engine.kernel_set, "With --bundle")
      ->envname("OCTET_KERNEL_SET");
  AddKernelChoices(*command, options->engine.choices);
  AddAttentionPrecision(*command, options->engine.attention_precision);
  command
      ->add_flag("--profile", options->profile,
                 "With --bundle: the time of each step and each kind of step, in one thread")
      ->needs(bundle)
      ->excludes(threads);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &result] {
    const std::array absent = {options->model.empty(), options->compare.empty(),
                               options->engine.bundle.empty()};
    if (std::count(absent.begin(), absent.end(), false) != 1) {
      throw CLI::ValidationError("wants a MODEL, or --compare MODEL_A MODEL_B, or --bundle BUNDLE");
    }
    result = options->engine.bundle.empty() ? BenchServer(*options) : BenchBundle(*options);
  });
}

}  // namespace octet::cli
