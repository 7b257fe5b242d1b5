// SPDX-License-Identifier: Apache-2.0
// TraceSetting and LogSettings.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/server/frontends/grpc/served_grpc.h"

namespace octet {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

class SettingsMethodsTest : public testing::ServedGrpc {
 protected:
  grpc::Status Trace(const inference::TraceSettingRequest& request) {
    grpc::ClientContext context;
    return stub_->TraceSetting(&context, request, &trace_);
  }
  grpc::Status Log(const inference::LogSettingsRequest& request) {
    grpc::ClientContext context;
    return stub_->LogSettings(&context, request, &log_);
  }
  static void ExpectRefused(const grpc::Status& status, StatusCode code, const std::string& part) {
    EXPECT_EQ(status.error_code(), code);
    EXPECT_THAT(status.error_message(), HasSubstr(part));
  }

  inference::TraceSettingResponse trace_;
  inference::LogSettingsResponse log_;
};

TEST_F(SettingsMethodsTest, TraceIsToldAndNotChanged) {
  inference::TraceSettingRequest request;
  ASSERT_TRUE(Trace(request).ok());
  EXPECT_EQ(trace_.settings().at("trace_level").value(0), "OFF");
  EXPECT_EQ(trace_.settings().at("trace_file").value(0), "");
  request.set_model_name("net");
  EXPECT_TRUE(Trace(request).ok());
  request.set_model_name("nothing");
  EXPECT_EQ(Trace(request).error_code(), StatusCode::NOT_FOUND);

  request.set_model_name("net");
  const inference::TraceSettingResponse told = trace_;  // which each answer overwrites
  for (const auto& [name, value] : told.settings()) {
    auto& setting = (*request.mutable_settings())[name];
    setting.add_value(value.value(0));
    EXPECT_TRUE(Trace(request).ok()) << name;  // as it is
    setting.add_value("1");
    ExpectRefused(Trace(request), StatusCode::UNIMPLEMENTED, name);
    setting.clear_value();  // what it is without being set
    EXPECT_TRUE(Trace(request).ok()) << name;
  }
  (*request.mutable_settings())["trace_file"].add_value("/tmp/x");
  ExpectRefused(Trace(request), StatusCode::UNIMPLEMENTED, "where the server is started");
  request.clear_settings();
  (*request.mutable_settings())["nonsense\n"];
  ExpectRefused(Trace(request), StatusCode::INVALID_ARGUMENT, "\"nonsense\\n\" is unknown");
}

TEST_F(SettingsMethodsTest, LogIsToldAndNotChanged) {
  inference::LogSettingsRequest request;
  ASSERT_TRUE(Log(request).ok());
  EXPECT_TRUE(log_.settings().at("log_info").bool_param());
  EXPECT_EQ(log_.settings().at("log_verbose_level").uint32_param(), 0U);
  (*request.mutable_settings())["log_info"].set_bool_param(true);
  EXPECT_TRUE(Log(request).ok());
  (*request.mutable_settings())["log_info"].set_bool_param(false);
  ExpectRefused(Log(request), StatusCode::UNIMPLEMENTED, "log_info");
  (*request.mutable_settings())["log_info"].set_string_param("false");
  ExpectRefused(Log(request), StatusCode::INVALID_ARGUMENT, "wrong type");
  request.clear_settings();
  (*request.mutable_settings())["log_file"].set_string_param("/etc/passwd");
  ExpectRefused(Log(request), StatusCode::UNIMPLEMENTED, "not changed over the network");
  request.clear_settings();
  (*request.mutable_settings())["log_verbose_level"].set_uint32_param(4);
  ExpectRefused(Log(request), StatusCode::UNIMPLEMENTED, "log_verbose_level");
  request.clear_settings();
  (*request.mutable_settings())["nonsense"].set_bool_param(true);
  ExpectRefused(Log(request), StatusCode::INVALID_ARGUMENT, "is unknown");
}

}  // namespace
}  // namespace octet
