// SPDX-License-Identifier: Apache-2.0
#include "client/tls_socket.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "gtest/gtest.h"

#include "tests/support/credential_folder.h"
#include "tests/support/fake_inference_server.h"

namespace octet::client {
namespace {

using testing::FakeInferenceServer;
using ::testing::HasSubstr;
using testing::Issue;
using testing::IssuedCertificate;
using ::testing::UnorderedElementsAre;

constexpr std::chrono::milliseconds kTimeout{20000};
constexpr char kNames[] = "DNS:localhost,IP:127.0.0.1";

class TlsSocketTest : public ::testing::Test {
 protected:
  static std::unique_ptr<FakeInferenceServer> Serve(const IssuedCertificate& shown,
                                                    const IssuedCertificate* client_ca = nullptr) {
    grpc::SslServerCredentialsOptions options(
        client_ca == nullptr ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                             : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_key_cert_pairs = {
        {.private_key = shown.key_pem, .cert_chain = shown.certificate_pem}};
    if (client_ca != nullptr) options.pem_root_certs = client_ca->certificate_pem;
    return std::make_unique<FakeInferenceServer>(grpc::SslServerCredentials(options));
  }

  TlsReport Probe(const std::string& address, CredentialOptions options) {
    if (options.ca_file.empty()) options.ca_file = folder_.Write("ca.pem", ca_.certificate_pem);
    const auto credentials = Credentials::Load(options);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    auto report = ProbeTls(address, **credentials, TlsUse::kGrpc, kTimeout);
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }

  CredentialOptions Showing(const IssuedCertificate& client) {
    return {.certificate_file = folder_.Write("c.pem", client.certificate_pem),
            .key_file = folder_.Write("c.key", client.key_pem)};
  }

  testing::CredentialFolder folder_;
  const IssuedCertificate ca_ = Issue({.common_name = "root"});
  const IssuedCertificate other_ca_ = Issue({.common_name = "other root"});
  const IssuedCertificate good_ =
      Issue({.common_name = "server", .alternative_names = kNames, .issuer = &ca_});
};

TEST_F(TlsSocketTest, FindsNothingWrongWithAGoodServer) {
  const auto server = Serve(good_);
  const TlsReport report = Probe(server->address(), {});
  EXPECT_EQ(report.fault, TlsFault::kNone) << report.reason;
  EXPECT_EQ(report.version, "TLSv1.3");
  ASSERT_NE(report.certificate, nullptr);
  EXPECT_THAT(report.certificate->names, UnorderedElementsAre("localhost", "127.0.0.1"));
  EXPECT_THAT(report.certificate->issuer, HasSubstr("CN=root"));
  EXPECT_LT(report.certificate->not_before, report.certificate->not_after);
}

TEST_F(TlsSocketTest, SaysWhatIsWrongWithACertificate) {
  const auto server = Serve(good_);
  EXPECT_EQ(
      Probe(server->address(), {.ca_file = folder_.Write("other.pem", other_ca_.certificate_pem)})
          .fault,
      TlsFault::kNotTrusted);
  EXPECT_EQ(Probe(server->address(), {.server_name = "octet.example"}).fault, TlsFault::kWrongName);
  const IssuedCertificate expired = Issue(
      {.common_name = "server", .alternative_names = kNames, .seconds_left = -60, .issuer = &ca_});
  EXPECT_EQ(Probe(Serve(expired)->address(), {}).fault, TlsFault::kExpired);
}

TEST_F(TlsSocketTest, SaysWhatIsWrongWithTheClientsCertificate) {
  const auto server = Serve(good_, &ca_);
  EXPECT_EQ(Probe(server->address(), {}).fault, TlsFault::kWantsClientCertificate);
  const IssuedCertificate client = Issue({.common_name = "client", .issuer = &ca_});
  const TlsReport taken = Probe(server->address(), Showing(client));
  EXPECT_EQ(taken.fault, TlsFault::kNone) << taken.reason;
  const IssuedCertificate stranger = Issue({.common_name = "client", .issuer = &other_ca_});
  EXPECT_EQ(Probe(server->address(), Showing(stranger)).fault, TlsFault::kRefusesClientCertificate);
}

TEST_F(TlsSocketTest, TellsTlsFromNone) {
  const FakeInferenceServer plain;
  EXPECT_EQ(Probe(plain.address(), {}).fault, TlsFault::kNoTls);
  const auto no = SpeaksTls(plain.address(), kTimeout);
  ASSERT_TRUE(no.ok()) << no.status();
  EXPECT_FALSE(*no);
  const auto server = Serve(good_);
  const auto yes = SpeaksTls(server->address(), kTimeout);
  ASSERT_TRUE(yes.ok()) << yes.status();
  EXPECT_TRUE(*yes);
  EXPECT_EQ(SpeaksTls("127.0.0.1:1", kTimeout).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace octet::client
