// SPDX-License-Identifier: Apache-2.0
#include "client/explanation.h"

#include <string>

#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "gtest/gtest.h"

#include "client/client.h"
#include "client/load_generator/load_generator.h"
#include "tests/support/credential_folder.h"
#include "tests/support/fake_inference_server.h"

namespace octet::client {
namespace {

using ::testing::AllOf;
using testing::FakeInferenceServer;
using ::testing::HasSubstr;
using testing::Issue;
using testing::IssuedCertificate;
using ::testing::Not;

constexpr std::chrono::milliseconds kTimeout{20000};
constexpr char kToken[] = "0b8f29c5a1cf40e59df5b5c3e0a3d2b1";

// A server with TLS that wants a client certificate and a token, and who may call it.
class ExplanationTest : public ::testing::Test {
 protected:
  ExplanationTest() { server_.authorization = absl::StrCat("Bearer ", kToken); }

  std::shared_ptr<grpc::ServerCredentials> ServerSide() {
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_key_cert_pairs = {
        {.private_key = shown_.key_pem, .cert_chain = shown_.certificate_pem}};
    options.pem_root_certs = ca_.certificate_pem;
    return grpc::SslServerCredentials(options);
  }

  CredentialOptions Right() {
    return {.ca_file = folder_.Write("ca.pem", ca_.certificate_pem),
            .certificate_file = folder_.Write("c.pem", client_.certificate_pem),
            .key_file = folder_.Write("c.key", client_.key_pem),
            .token_file = folder_.Write("token", kToken)};
  }

  // What a call with these says.
  absl::Status Ask(const CredentialOptions& options) {
    const auto credentials = Credentials::Load(options);
    if (!credentials.ok()) return credentials.status();
    Client client(server_.address(), *credentials);
    const absl::Status status = client.GetModelMetadata("twice", "", kTimeout).status();
    return Explain(status, server_.address(), credentials->get(), kTimeout);
  }

  testing::CredentialFolder folder_;
  const IssuedCertificate ca_ = Issue({.common_name = "root"});
  const IssuedCertificate shown_ =
      Issue({.common_name = "server", .alternative_names = "IP:127.0.0.1", .issuer = &ca_});
  const IssuedCertificate client_ = Issue({.common_name = "client", .issuer = &ca_});
  FakeInferenceServer server_{ServerSide()};
};

TEST_F(ExplanationTest, TheRightOnesAreTaken) {
  const absl::Status status = Ask(Right());
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ExplanationTest, SaysWhichIsMissingOrWrong) {
  CredentialOptions options = Right();
  options.token_file = "";
  EXPECT_THAT(std::string(Ask(options).message()),
              AllOf(HasSubstr("needs the role infer"), HasSubstr("--token-file")));
  options = Right();
  options.token_file = folder_.Write("unknown", "unknown-token");
  const absl::Status unknown = Ask(options);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(unknown.message()), Not(HasSubstr("unknown-token")));
  options = Right();
  options.certificate_file = options.key_file = "";
  EXPECT_THAT(std::string(Ask(options).message()), HasSubstr("--tls-certificate"));
  options = Right();
  options.server_name = "octet.example";
  EXPECT_THAT(std::string(Ask(options).message()),
              AllOf(HasSubstr("is for 127.0.0.1, wants octet.example")));
  options = Right();
  options.ca_file = folder_.Write("other.pem", Issue({.common_name = "x"}).certificate_pem);
  EXPECT_THAT(std::string(Ask(options).message()),
              AllOf(HasSubstr("issued by CN=root, is not trusted"), HasSubstr("--tls-ca")));
  options = {};
  EXPECT_THAT(std::string(Ask(options).message()), HasSubstr("speaks TLS, and this asked without"));
}

TEST_F(ExplanationTest, OtherErrorsStayAsTheyAre) {
  const absl::Status not_found = absl::NotFoundError("no model");
  EXPECT_EQ(Explain(not_found, server_.address(), nullptr, kTimeout), not_found);
  const FakeInferenceServer plain;
  const absl::Status loading = absl::UnavailableError("model \"x\" is loaded");
  EXPECT_EQ(Explain(loading, plain.address(), nullptr, kTimeout), loading);
  EXPECT_EQ(Explain(loading, "127.0.0.1:1", nullptr, kTimeout), loading);
}

TEST_F(ExplanationTest, TheLoadGeneratorShowsThemToo) {
  const auto credentials = Credentials::Load(Right());
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  const InferRequest request{
      .model = "twice",
      .inputs = {
          {.name = "x", .datatype = "FP32", .shape = {1, 3}, .bytes = std::string(12, '\0')}}};
  LoadOptions options{.address = server_.address(),
                      .requests = {SerializeInferRequest(request)},
                      .num_requests = 20,
                      .num_connections = 2,
                      .credentials = *credentials};
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 20U);
  EXPECT_EQ(server_.num_infer_calls(), 20);

  const auto token = Credentials::Load({.token = kToken});
  ASSERT_TRUE(token.ok());
  options.address = "octet.invalid:8001";
  options.credentials = *token;
  EXPECT_EQ(GenerateLoad(options).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ExplanationTest, ATokenIsNotSentToAnotherMachineWithoutTls) {
  const auto token = Credentials::Load({.token = kToken});
  ASSERT_TRUE(token.ok());
  Client client("octet.invalid:8001", *token);
  EXPECT_EQ(client.ServerReady(kTimeout).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace octet::client
