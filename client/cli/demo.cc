// SPDX-License-Identifier: Apache-2.0
// `octet demo`: starts a server on the zoo, asks it real questions, and shows what precision costs.

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is not in <csignal>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/cli/commands.h"
#include "client/cli/endpoint_bench.h"
#include "client/client.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

constexpr absl::string_view kReadyLine = "octet-server ready ";

struct DemoOptions {
  std::string server = "octet-server";
  std::string repository;
  double seconds = 1;
  bool once = false;
};

// The server as a child process; it ends with this object.
class ServerProcess {
 public:
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const DemoOptions& options) {
    std::array<int, 2> pipe_ends{};
    if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
      return absl::ErrnoToStatus(errno, "no pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    // A run that ends by itself takes any free ports; one to look at takes those that are known.
    std::vector<std::string> arguments = {options.server, "--model-repository", options.repository};
    const std::array<std::pair<const char*, const char*>, 3> addresses = {
        {{"--grpc-address", "8001"}, {"--http-address", "8000"}, {"--metrics-address", "8002"}}};
    for (const auto& [flag, port] : addresses) {
      arguments.emplace_back(flag);
      arguments.push_back(absl::StrCat("127.0.0.1:", options.once ? "0" : port));
    }
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    auto process = std::unique_ptr<ServerProcess>(new ServerProcess());
    const int error = posix_spawnp(&process->pid_, raw[0], &actions, nullptr, raw.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_ends[1]);
    process->output_ = pipe_ends[0];
    if (error != 0) {
      process->pid_ = -1;
      return absl::ErrnoToStatus(error, absl::StrCat("\"", options.server, "\" does not start"));
    }
    return process;
  }

  ~ServerProcess() {
    if (pid_ > 0) {
      kill(pid_, SIGTERM);
      waitpid(pid_, nullptr, 0);
    }
    if (output_ >= 0) close(output_);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // What the server says of itself once it is ready: "grpc=HOST:PORT http=... metrics=...".
  absl::StatusOr<std::string> ReadyLine() const {
    std::string text;
    std::array<char, 512> chunk{};
    while (true) {
      const ssize_t size = read(output_, chunk.data(), chunk.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return absl::UnavailableError("the server ended before it was ready");
      text.append(chunk.data(), static_cast<std::size_t>(size));
      const std::size_t at = text.find(std::string(kReadyLine));
      const std::size_t end = at == std::string::npos ? at : text.find('\n', at);
      if (end != std::string::npos) {
        return text.substr(at + kReadyLine.size(), end - at - kReadyLine.size());
      }
    }
  }

  // Until the server ends.
  void Wait() {
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

 private:
  ServerProcess() = default;
  pid_t pid_ = -1;
  int output_ = -1;
};

// A Ctrl-C reaches the server as well as this program, which ends with it.
void LeaveInterruptsToTheServer() {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGINT, &ignore, nullptr);
}

std::string AddressOf(absl::string_view ready_line, absl::string_view name) {
  for (const absl::string_view word : absl::StrSplit(ready_line, ' ')) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (pair.first == name) return pair.second;
  }
  return "";
}

absl::Status Demo(const DemoOptions& options) {
  const std::filesystem::path data =
      std::filesystem::path(options.repository).parent_path() / "data";
  ASSIGN_OR_RETURN(const auto server, ServerProcess::Start(options));
  ASSIGN_OR_RETURN(const std::string ready, server->ReadyLine());
  const std::string grpc = AddressOf(ready, "grpc");
  std::cout << "Handwritten digits that no model has seen, sent to " << grpc
            << " one by one; accuracy of each precision, agreement with FP32:\n";
  for (const std::string kind : {"digits", "digits-mlp"}) {
    EndpointBenchOptions bench{.address = grpc};
    for (const char* const precision : {"fp32", "int8", "int8-static", "int4"}) {
      bench.models.push_back(absl::StrCat(kind, "-", precision));
    }
    bench.inputs = {(data / "digits_test_images.npy").string()};
    bench.labels = (data / "digits_test_labels.npy").string();
    bench.duration = std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
    ASSIGN_OR_RETURN(const auto results, BenchEndpoints(bench));
    std::cout << "\n" << ResultTable(results);
    RETURN_IF_ERROR(CheckAllAnswered(results));
  }
  if (options.once) return absl::OkStatus();
  LeaveInterruptsToTheServer();
  std::cout << "\nThe server runs on: page http://" << AddressOf(ready, "http") << "/, gRPC "
            << grpc << ", metrics http://" << AddressOf(ready, "metrics")
            << "/metrics. Ctrl-C ends it." << std::endl;
  server->Wait();
  return absl::OkStatus();
}

}  // namespace

void AddDemo(CLI::App& app, absl::Status& result) {
  auto* const command =
      app.add_subcommand("demo",
                         "Serve the zoo and compare the precisions on labelled digits.\n"
                         "Example: octet demo --model-repository models/zoo/repository");
  const auto options = std::make_shared<DemoOptions>();
  command->add_option("--server", options->server, "The octet-server to start")
      ->capture_default_str();
  command
      ->add_option("--model-repository", options->repository,
                   "The zoo: models/zoo/repository, with models/zoo/data beside it")
      ->required();
  command->add_option("--seconds", options->seconds, "Time measured, for each model")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag("--once", options->once, "End after the tables");
  command->callback([options, &result] { result = Demo(*options); });
}

}  // namespace octet::cli
