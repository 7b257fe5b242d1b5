// SPDX-License-Identifier: Apache-2.0
// `octet doctor host`.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <optional>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/cli/doctor_checks.h"
#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/base/cpu_budget.h"

namespace octet::cli {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A line of /proc/meminfo, in bytes.
std::optional<std::uint64_t> MemoryFigure(const std::string& text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(": "), absl::SkipEmpty());
    std::uint64_t kib = 0;
    if (words.size() >= 2 && words[0] == name && absl::SimpleAtoi(words[1], &kib)) {
      return kib << 10;
    }
  }
  return std::nullopt;
}

std::string Mebibytes(std::uint64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

void CheckKernels(Findings& findings) {
  const kernels::CpuFeatures features = kernels::DetectCpuFeatures();
  std::vector<std::string> has;
  if (features.avx2) has.emplace_back("AVX2");
  if (features.avx_vnni) has.emplace_back("AVX-VNNI");
  if (features.avx512_vnni) has.emplace_back("AVX-512 VNNI");
  if (features.amx_int8) has.emplace_back("AMX int8");
  if (features.amx_bf16) has.emplace_back("AMX bf16");
  findings.Ok("cpu.model", absl::StrCat(kernels::CpuName(), ": ",
                                        has.empty() ? "no vector instructions that are used here"
                                                    : absl::StrJoin(has, ", ")));
  const auto best = std::string(kernels::BestKernelSet()->name);
  if (!features.avx2) {
    findings.Warn("cpu.kernels",
                  "this CPU has no AVX2: the reference kernels run, which are many times slower",
                  "serve on a CPU with AVX2, better with AVX-512 VNNI or AMX; on a virtual machine "
                  "have the hypervisor pass the CPU's features on");
  } else if (!features.avx512_vnni && !features.avx_vnni) {
    findings.Warn("cpu.kernels",
                  absl::StrCat("kernels ", best,
                               ": this CPU multiplies int8 without VNNI, at about "
                               "the speed of float32"),
                  "int8 still saves memory; for its speed take a CPU with VNNI or AMX");
  } else {
    findings.Ok("cpu.kernels", absl::StrCat("kernels ", best, " run here"));
  }
  if (features.amx_int8 && !kernels::RequestAmxPermission()) {
    findings.Warn("cpu.amx", "the CPU has AMX, but the operating system does not grant it",
                  "use Linux 5.16 or newer, and let the container's seccomp profile allow "
                  "arch_prctl");
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const forced = std::getenv("OCTET_KERNEL_SET");
  if (forced == nullptr || *forced == '\0') return;
  const kernels::KernelSetSelection selection = kernels::SelectKernelSet(forced);
  if (selection.set == nullptr) {
    findings.Fail(
        "cpu.forced_kernels",
        absl::StrCat("OCTET_KERNEL_SET: ", selection.error, "; the server does not start"),
        "unset OCTET_KERNEL_SET");
  } else if (selection.set->name != best) {
    findings.Warn("cpu.forced_kernels",
                  absl::StrCat("OCTET_KERNEL_SET forces ", forced, ", where ", best, " would run"),
                  "unset OCTET_KERNEL_SET");
  }
}

void CheckQuota(const std::string& root, Findings& findings) {
  const CpuBudget budget = ReadCpuBudget(root);
  const int cpus =
      std::min(budget.affinity_cpus, budget.cpuset_cpus.value_or(budget.affinity_cpus));
  const std::string has = absl::StrCat(
      cpus, cpus == 1 ? " CPU" : " CPUs",
      budget.quota_cpus ? absl::StrFormat(", a quota of %.2f", *budget.quota_cpus) : "", ": ",
      budget.workers, budget.workers == 1 ? " thread computes" : " threads compute");
  if (budget.quota_cpus && *budget.quota_cpus < 1) {
    findings.Warn("cpu.quota",
                  absl::StrCat(has,
                               "; less than one CPU stands still for a part of each period, "
                               "up to 100 ms"),
                  "give the container a CPU limit of 1 or more, or a request without a limit");
  } else if (budget.quota_cpus && *budget.quota_cpus<cpus&& * budget.quota_cpus -
                                                     static_cast<double>(budget.workers)> 0.25) {
    findings.Warn("cpu.quota", absl::StrCat(has, "; the rest of the quota is for nothing"),
                  "make the CPU limit a whole number");
  } else {
    findings.Ok("cpu.quota", has);
  }
  const std::optional<CpuThrottling> throttling = ReadCpuThrottling(root);
  if (!throttling || throttling->periods == 0) return;
  const double share =
      static_cast<double>(throttling->throttled_periods) / static_cast<double>(throttling->periods);
  const std::string stopped =
      absl::StrFormat("the quota stopped this control group in %d of %d periods (%.1f %%)",
                      throttling->throttled_periods, throttling->periods, 100 * share);
  constexpr double kMuch = 0.01;
  if (share > kMuch) {
    findings.Warn("cpu.throttling", stopped,
                  "raise the CPU limit, or let nothing else run in the container");
  } else {
    findings.Ok("cpu.throttling", stopped);
  }
}

void CheckMemory(const std::string& root, Findings& findings) {
  const std::string text = ReadFile(absl::StrCat(root, "/proc/meminfo"));
  const auto available = MemoryFigure(text, "MemAvailable");
  constexpr std::uint64_t kLittle = std::uint64_t{512} << 20;
  if (available && *available < kLittle) {
    findings.Warn("memory.available", absl::StrCat(Mebibytes(*available), " of memory are free"),
                  "free memory, or take a larger machine: a bundle needs a few times its size "
                  "while it loads");
  } else if (available) {
    findings.Ok("memory.available", absl::StrCat(Mebibytes(*available), " of memory are free"));
  }
  const std::uint64_t swap = MemoryFigure(text, "SwapTotal").value_or(0);
  const std::uint64_t swapped =
      swap - std::min(swap, MemoryFigure(text, "SwapFree").value_or(swap));
  if (swapped > (std::uint64_t{64} << 20)) {
    findings.Warn("memory.swap",
                  absl::StrCat(Mebibytes(swapped),
                               " are swapped out: weights that are read back "
                               "from a disk delay requests by milliseconds"),
                  "turn swap off (swapoff -a), or set the container's memory.swap.max to 0");
  } else {
    findings.Ok("memory.swap", swap == 0 ? "there is no swap" : "there is swap, hardly used");
  }
  const std::string pages =
      ReadFile(absl::StrCat(root, "/sys/kernel/mm/transparent_hugepage/enabled"));
  if (absl::StrContains(pages, "[never]")) {
    findings.Warn("memory.huge_pages", "transparent huge pages are off: large weights miss the TLB",
                  "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  } else if (!pages.empty()) {
    findings.Ok("memory.huge_pages", "transparent huge pages are on");
  }
}

void CheckDescriptors(Findings& findings) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const std::string is = absl::StrCat("at most ", limit.rlim_cur, " open files and connections");
  constexpr rlim_t kEnough = 4096;
  if (limit.rlim_cur < kEnough) {
    findings.Warn("limits.descriptors", is,
                  absl::StrCat("ulimit -n ", std::max<rlim_t>(kEnough, 65536),
                               ", LimitNOFILE= of systemd, or --ulimit nofile of the container"));
  } else {
    findings.Ok("limits.descriptors", is);
  }
}

// Whether this port cannot be listened on, and why; 0: it can.
int PortError(std::uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return errno;
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  int error = 0;
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, 1) != 0) {
    error = errno;
  }
  close(listener);
  return error;
}

void CheckPorts(Findings& findings) {
  struct Port {
    std::uint16_t number;
    const char* flag;
  };
  constexpr std::array<Port, 3> kPorts = {
      {{8001, "--grpc-address"}, {8000, "--http-address"}, {8002, "--metrics-address"}}};
  for (const Port& port : kPorts) {
    const int error = PortError(port.number);
    const std::string check = absl::StrCat("ports.", port.number);
    if (error == 0) {
      findings.Ok(check, absl::StrCat("port ", port.number, " is free"));
    } else {
      findings.Warn(
          check,
          absl::StrCat("port ", port.number,
                       error == EADDRINUSE ? " is taken: a server may run already"
                                           : " cannot be listened on"),
          absl::StrCat("find who has it with `ss -ltnp`, or give another with ", port.flag));
    }
  }
}

void CheckClock(Findings& findings) {
  timex state{};
  const int outcome = adjtimex(&state);
  if (outcome < 0) return;
  if (outcome == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
    findings.Warn("clock.synchronized",
                  "the kernel does not know its clock to be synchronized: times in logs and traces "
                  "may not fit those of other machines",
                  "run chrony or systemd-timesyncd on the host; on a virtual machine whose host "
                  "keeps its clock there is nothing to do");
  } else {
    findings.Ok("clock.synchronized", "the clock is synchronized");
  }
}

}  // namespace

void CheckHost(const std::string& root, Findings& findings) {
  CheckKernels(findings);
  CheckQuota(root, findings);
  CheckMemory(root, findings);
  CheckDescriptors(findings);
  CheckPorts(findings);
  CheckClock(findings);
}

}  // namespace octet::cli
