// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/status_codec.h"

#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

TEST(StatusCodecTest, KeepsCodeAndMessage) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  const grpc::Status status = ToGrpc(absl::NotFoundError("no such model"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such model");
}

TEST(StatusCodecTest, LongMessageIsCut) {
  EXPECT_EQ(ToGrpc(absl::InternalError(std::string(100000, 'x'))).error_message().size(), 2048U);
}

}  // namespace
}  // namespace octet
