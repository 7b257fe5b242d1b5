// SPDX-License-Identifier: Apache-2.0
#include "client/cli/isolated_run.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace octet::cli {
namespace {

absl::Status SystemError(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Writes all of `bytes`, or as much as the reader wants.
void WriteAll(int file, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string ReadAll(int file) {
  std::string bytes;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t count = read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return bytes;
    bytes.append(part.data(), static_cast<std::size_t>(count));
  }
}

// The code in the first byte, the message behind it: what never comes to its end writes nothing.
std::string Report(const absl::Status& status) {
  return absl::StrCat(std::string(1, static_cast<char>(status.code())),
                      std::string(status.message()));
}

[[noreturn]] void RunChild(int report, absl::FunctionRef<absl::Status()> work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // not without the one that waits for it
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const absl::Status status = work();
  std::cout.flush();
  std::fflush(nullptr);
  WriteAll(report, Report(status));
  _exit(0);
}

absl::Status Crash(absl::string_view file, int wait_status) {
  const std::string how =
      WIFSIGNALED(wait_status)
          ? absl::StrCat("signal ", WTERMSIG(wait_status), ", ", strsignal(WTERMSIG(wait_status)))
          : absl::StrCat("status ", WEXITSTATUS(wait_status));
  return absl::InvalidArgumentError(absl::StrCat(file, ": reading it crashed (", how,
                                                 "): the file is damaged; nothing was written"));
}

}  // namespace

absl::Status RunIsolated(absl::string_view file, absl::FunctionRef<absl::Status()> work) {
  std::array<int, 2> ends;
  if (pipe(ends.data()) != 0) return SystemError("a pipe");
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    const absl::Status status = SystemError("a process");
    close(ends[0]);
    close(ends[1]);
    return status;
  }
  if (child == 0) {
    close(ends[0]);
    RunChild(ends[1], work);
  }
  close(ends[1]);
  const std::string report = ReadAll(ends[0]);
  close(ends[0]);
  int wait_status = 0;
  while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (report.empty()) return Crash(file, wait_status);
  return {static_cast<absl::StatusCode>(report[0]), report.substr(1)};
}

}  // namespace octet::cli
