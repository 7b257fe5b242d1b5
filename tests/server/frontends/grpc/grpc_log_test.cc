// SPDX-License-Identifier: Apache-2.0
#include "server/frontends/grpc/grpc_log.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpc/support/log.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::StartsWith;

TEST(GrpcLogTest, ErrorsAreHandedOverWithTheirSource) {
  std::vector<GrpcLine> lines;
  {
    const GrpcLog log([&lines](const GrpcLine& line) { lines.push_back(line); });
    gpr_log("/build/src/core/x.cc", 7, GPR_LOG_SEVERITY_ERROR, "no %s", "luck");
    gpr_log("x.cc", 8, GPR_LOG_SEVERITY_INFO, "not asked for");
    gpr_log("x.cc", 9, GPR_LOG_SEVERITY_DEBUG, "not asked for");
  }
  EXPECT_THAT(lines, ElementsAre(AllOf(Field(&GrpcLine::source, "x.cc:7"),
                                       Field(&GrpcLine::message, "no luck"),
                                       Field(&GrpcLine::severity, GrpcSeverity::kError))));
  gpr_log(GPR_ERROR, "to standard error, once nobody takes it");
  EXPECT_EQ(lines.size(), 1U);
}

TEST(GrpcLogTest, FailedHandshakesAreCountedAndAreTheirPeersMistake) {
  std::vector<GrpcLine> lines;
  const GrpcLog log([&lines](const GrpcLine& line) { lines.push_back(line); });
  gpr_log("security_handshaker.cc", 1, GPR_LOG_SEVERITY_DEBUG, "Security handshake failed: closed");
  gpr_log("ssl_transport_security.cc", 2, GPR_LOG_SEVERITY_ERROR, "Handshake failed with ...");
  EXPECT_EQ(log.failed_handshakes(), 1U);
  EXPECT_THAT(lines, ElementsAre(Field(&GrpcLine::source, StartsWith("ssl_"))));
  EXPECT_EQ(lines[0].severity, GrpcSeverity::kWarning);
  EXPECT_EQ(SeverityOf("call.cc:1", GrpcSeverity::kError), GrpcSeverity::kWarning);
  EXPECT_EQ(SeverityOf("tcp_server.cc:1", GrpcSeverity::kError), GrpcSeverity::kError);
}

}  // namespace
}  // namespace octet
