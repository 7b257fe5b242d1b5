// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/contender.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "client/cli/npy.h"

namespace octet::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Enough for a best and a median even of a slow model.
constexpr std::size_t kLeastRuns = 5;

Times TimeEach(const std::function<void()>& run, double seconds) {
  std::vector<double> times_us;
  run();  // warms the caches: another contender ran just now
  SteadyClock::time_point start = SteadyClock::now();
  const auto stop_at = start + std::chrono::duration<double>(seconds);
  do {
    run();
    const SteadyClock::time_point end = SteadyClock::now();
    times_us.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    start = end;
  } while (start < stop_at || times_us.size() < kLeastRuns);
  std::sort(times_us.begin(), times_us.end());
  return {.best_us = times_us.front(),
          .median_us = times_us[times_us.size() / 2],
          .runs = times_us.size()};
}

}  // namespace

ContenderOptions ContenderOptions::Parse(int argc, char** argv) {
  ContenderOptions options;
  CLI::App app;
  app.add_option("--model", options.model)->required();
  app.add_option("--input", options.inputs)->required();
  app.add_option("--output", options.output)->required();
  app.add_option("--variant", options.variant);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

int ContenderMain(int argc, char** argv, int (*run)(const ContenderOptions& options)) {
  try {
    return run(ContenderOptions::Parse(argc, argv));
  } catch (const std::exception& error) {
    Fail(error.what());
  }
}

int Serve(const Contender& contender) {
  const auto say = [](const nlohmann::json& line) { std::cout << line.dump() << std::endl; };
  say({{"version", contender.version}, {"detail", contender.detail}});
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    double seconds = 0;
    if (!(words >> command >> seconds) || command != "measure") {
      Fail("got \"" + line + "\", want \"measure SECONDS\"");
    }
    const Times times =
        contender.measure ? contender.measure(seconds) : TimeEach(contender.run, seconds);
    say({{"best_us", times.best_us}, {"median_us", times.median_us}, {"runs", times.runs}});
  }
  return EXIT_SUCCESS;
}

std::vector<Tensor> ReadInputs(const ContenderOptions& options) {
  std::vector<Tensor> tensors;
  for (const std::string& path : options.inputs) {
    absl::StatusOr<Tensor> tensor = cli::ReadNpy(path);
    Require(tensor.status());
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

void WriteAnswer(const ContenderOptions& options, TensorView answer) {
  Require(cli::WriteNpy(options.output, answer));
}

std::string KernelSetName() {
  const char* const name = std::getenv("OCTET_KERNEL_SET");
  return name == nullptr ? "" : name;
}

void Fail(const std::string& message) {
  std::cerr << message << std::endl;
  std::exit(EXIT_FAILURE);
}

void Require(const absl::Status& status) {
  if (!status.ok()) Fail(std::string(status.message()));
}

}  // namespace octet::bench
