// SPDX-License-Identifier: Apache-2.0
// Reads flags, file and CPU, and has the server assembled and run.

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

#include "kernels/kernel_set.h"
#include "models/base/cpu_budget.h"
#include "models/base/status_macros.h"
#include "server/assembly/server_assembly.h"
#include "server/config/server_config.h"
#include "server/process/library_defaults.h"
#include "server/process/server_log.h"
#include "server/process/stop_signals.h"

namespace octet {
namespace {

constexpr char kVersion[] = OCTET_VERSION;

absl::StatusOr<const kernels::KernelSet*> ChooseKernelSet() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const wanted = std::getenv("OCTET_KERNEL_SET");
  const kernels::KernelSetSelection selection = kernels::SelectKernelSet(wanted);
  if (selection.set == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("OCTET_KERNEL_SET: ", selection.error));
  }
  return selection.set;
}

// Says so where attention was allowed to be less precise than float32.
void LogAttentionPrecision(AttentionPrecision precision, const kernels::KernelSet& kernels) {
  if (precision == AttentionPrecision::kFloat32) return;
  const kernels::ReducedAttention* const reduced = kernels.reduced_attention();
  spdlog::info("attention precision: {}",
               reduced == nullptr ? std::string("float32, this CPU is faster at nothing less")
                                  : std::string(reduced->name));
}

absl::Status Serve(const ServerConfig& config, ServerLog& log, StopSignals& stop) {
  kernels::PrepareThread();
  ASSIGN_OR_RETURN(const kernels::KernelSet* const kernel_set, ChooseKernelSet());
  const CpuBudget budget = ReadCpuBudget();
  spdlog::info("octet-server {}: kernels {}, oneDNN {}, {} computing threads ({} CPUs{})", kVersion,
               std::string(kernel_set->name), kernels::OneDnnVersion(),
               config.workers > 0 ? config.workers : budget.workers, budget.affinity_cpus,
               budget.quota_cpus ? fmt::format(", quota {:.2f}", *budget.quota_cpus) : "");
  LogAttentionPrecision(config.attention_precision, *kernel_set);

  ServerAssembly server({.config = config,
                         .kernels = *kernel_set,
                         .cpus = budget,
                         .version = kVersion,
                         .log = log,
                         .stop = stop});
  RETURN_IF_ERROR(server.Listen());
  return server.Serve();
}

int Main(std::span<const char* const> arguments) {
  // One thread for each CPU computes, another reads requests.
  SetLibraryDefaults(static_cast<std::size_t>(ReadCpuBudget().workers) + 1);
  StopSignals stop;

  const absl::StatusOr<CommandLine> line = ParseCommandLine(arguments);
  if (!line.ok()) {
    std::cerr << line.status().message() << "\n";
    return 2;
  }
  if (line->action == CommandLine::Action::kHelp) std::cout << HelpText();
  if (line->action == CommandLine::Action::kVersion)
    std::cout << "octet-server " << kVersion << "\n";
  if (line->action == CommandLine::Action::kCheckConfig) std::cout << "configuration is valid\n";
  if (line->action != CommandLine::Action::kServe) return 0;
  ServerLog log(line->config.operations.log);
  const absl::Status status = Serve(line->config, log, stop);
  if (status.ok()) return 0;
  spdlog::critical("{}", std::string(status.message()));
  return 1;
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  return octet::Main(std::span<const char* const>(argv, static_cast<std::size_t>(argc)).subspan(1));
}
