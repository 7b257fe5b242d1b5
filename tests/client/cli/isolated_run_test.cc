// SPDX-License-Identifier: Apache-2.0
#include "client/cli/isolated_run.h"

#include <csignal>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>
#include <string>
#include <unistd.h>

namespace octet::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(IsolatedRunTest, StatusesComeBack) {
  EXPECT_TRUE(RunIsolated("f", [] { return absl::OkStatus(); }).ok());
  const std::string message(100000, 'm');
  const absl::Status status = RunIsolated("f", [&] { return absl::UnimplementedError(message); });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status.message(), message);
}

TEST(IsolatedRunTest, NothingThatIsChangedInMemoryRemains) {
  int number = 1;
  EXPECT_TRUE(RunIsolated("f", [&] {
                number = 2;
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(number, 1);
}

TEST(IsolatedRunTest, OutputIsWrittenOnce) {
  ::testing::internal::CaptureStdout();
  std::cout << "before ";
  const absl::Status status = RunIsolated("f", [] {
    std::cout << "within ";
    return absl::OkStatus();
  });
  std::cout << "behind";
  std::cout.flush();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "before within behind");
  EXPECT_TRUE(status.ok()) << status;
}

TEST(IsolatedRunTest, ACrashIsAnErrorThatNamesTheFile) {
  const absl::Status crash = RunIsolated("model.h5", []() -> absl::Status {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return absl::OkStatus();
  });
  EXPECT_EQ(crash.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(crash.message()), AllOf(HasSubstr("model.h5: "), HasSubstr("signal 11")));
  const absl::Status left = RunIsolated("model.h5", []() -> absl::Status { _exit(3); });
  EXPECT_EQ(left.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(left.message()), HasSubstr("status 3"));
}

}  // namespace
}  // namespace octet::cli
