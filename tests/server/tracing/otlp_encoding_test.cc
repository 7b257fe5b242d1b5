// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/otlp_encoding.h"

#include <map>
#include <set>
#include <string>

#include "gtest/gtest.h"

#include "proto/opentelemetry/v1/trace.pb.h"

namespace octet {
namespace {

using std::chrono_literals::operator""us;

RequestSpan Answered() {
  RequestSpan span;
  span.trace_id.fill(0xAB);
  span.span_id = {1, 2, 3, 4, 5, 6, 7, 0xFE};
  span.parent_id.fill(0xCD);
  span.has_remote_parent = true;
  span.trace_state = "foo=1";
  span.method = "ModelInfer";
  span.system = "grpc";
  span.request_id = "r1";
  span.model = "digits";
  span.version = "3";
  span.rows = 2;
  span.start = std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000));
  span.parse = 10us;
  span.queue = 20us;
  span.gather = 5us;
  span.compute = 100us;
  span.encode = 7us;
  span.total = 150us;
  span.batch_rows = 8;
  return span;
}

opentelemetry::v1::ExportTraceServiceRequest Encoded(const RequestSpan& span) {
  opentelemetry::v1::ExportTraceServiceRequest message;
  EXPECT_TRUE(message.ParseFromString(EncodeOtlp(
      {&span, 1}, {.service_name = "name", .service_version = "9", .instance_id = "i"})));
  return message;
}

TEST(OtlpEncodingTest, SpansOfARequestFormATreeInItsTime) {
  const auto message = Encoded(Answered());
  const auto& spans = message.resource_spans(0).scope_spans(0).spans();
  ASSERT_EQ(static_cast<std::size_t>(spans.size()), NumSpans(Answered()));
  std::map<std::string, const opentelemetry::v1::Span*> by_name;
  std::set<std::string> ids;
  for (const auto& span : spans) {
    by_name[span.name()] = &span;
    ids.insert(span.span_id());
    EXPECT_EQ(span.trace_id(), std::string(16, '\xAB'));
    EXPECT_LE(span.start_time_unix_nano(), span.end_time_unix_nano());
  }
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(spans.size()));
  const auto& request = *by_name.at("inference.GRPCInferenceService/ModelInfer");
  EXPECT_EQ(request.parent_span_id(), std::string(8, '\xCD'));
  EXPECT_EQ(request.kind(), 2U);
  EXPECT_EQ(request.trace_state(), "foo=1");
  EXPECT_EQ(request.flags(), 0x301U);
  EXPECT_FALSE(request.has_status());
  EXPECT_EQ(request.end_time_unix_nano() - request.start_time_unix_nano(), 150'000U);
  const auto offsets = [&](const char* name) {
    const auto& span = *by_name.at(name);
    return std::make_pair(span.start_time_unix_nano() - request.start_time_unix_nano(),
                          span.end_time_unix_nano() - request.start_time_unix_nano());
  };
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(offsets("parse"), Pair(0, 10'000));
  EXPECT_EQ(offsets("queue"), Pair(10'000, 30'000));
  EXPECT_EQ(offsets("batch"), Pair(30'000, 135'000));
  EXPECT_EQ(offsets("compute"), Pair(35'000, 135'000));
  EXPECT_EQ(offsets("encode"), Pair(143'000, 150'000));
  for (const char* const child : {"parse", "queue", "batch", "encode"}) {
    EXPECT_EQ(by_name.at(child)->parent_span_id(), request.span_id()) << child;
  }
  EXPECT_EQ(by_name.at("compute")->parent_span_id(), by_name.at("batch")->span_id());
}

TEST(OtlpEncodingTest, FailureIsOneSpanWithItsStatus) {
  RequestSpan failed = Answered();
  failed.batch_rows = 0;
  failed.has_remote_parent = false;
  failed.code = 5;
  failed.error = "no such model";
  const auto message = Encoded(failed);
  const auto& spans = message.resource_spans(0).scope_spans(0).spans();
  ASSERT_EQ(spans.size(), 1);
  EXPECT_EQ(spans[0].status().code(), 2U);
  EXPECT_EQ(spans[0].status().message(), "no such model");
  EXPECT_EQ(spans[0].parent_span_id(), "");
  EXPECT_EQ(spans[0].flags(), 0x101U);
}

TEST(OtlpEncodingTest, TimesThatMakeNoSenseStayInTheRequest) {
  RequestSpan odd = Answered();
  odd.encode = 1000us;
  odd.queue = -5us;
  odd.compute = 1000us;
  const auto message = Encoded(odd);
  const auto& spans = message.resource_spans(0).scope_spans(0).spans();
  for (const auto& span : spans) {
    EXPECT_LE(span.start_time_unix_nano(), span.end_time_unix_nano()) << span.name();
    EXPECT_GE(span.start_time_unix_nano(), spans[0].start_time_unix_nano()) << span.name();
    EXPECT_LE(span.end_time_unix_nano(), spans[0].end_time_unix_nano()) << span.name();
  }
}

TEST(OtlpEncodingTest, AnswerOfTheCollectorIsRead) {
  EXPECT_EQ(DecodeOtlpAnswer("").value().count, 0);
  opentelemetry::v1::ExportTraceServiceResponse response;
  response.mutable_partial_success()->set_rejected_spans(4);
  response.mutable_partial_success()->set_error_message("too old");
  const auto rejected = DecodeOtlpAnswer(response.SerializeAsString());
  ASSERT_TRUE(rejected.has_value());
  EXPECT_EQ(rejected->count, 4);
  EXPECT_EQ(rejected->message, "too old");
  EXPECT_FALSE(DecodeOtlpAnswer("<html>").has_value());
}

}  // namespace
}  // namespace octet
