// SPDX-License-Identifier: Apache-2.0

#include "server/config/access_settings.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/octet/config/v1/config.pb.h"
#include "tests/support/certificates.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using octet::testing::Issue;
using octet::testing::IssuedCertificate;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class AccessSettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / absl::StrCat("octet_access_settings_", ::getpid());
    fs::create_directories(folder_);
    const IssuedCertificate root = Issue({.common_name = "root"});
    const IssuedCertificate server = Issue({.common_name = "server", .issuer = &root});
    Write("ca.pem", root.certificate_pem);
    Write("s.pem", server.certificate_pem);
    Write("s.key", server.key_pem);
    Write("tokens", "ci admin token:0123456789abcdef\n");
    Write("certificates", "front infer dns:front.example\n");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
    ::chmod(Path(name).c_str(), 0600);
  }
  void SetTls() {
    message_.set_tls_certificate(Path("s.pem"));
    message_.set_tls_key(Path("s.key"));
  }
  AccessSettings Take() {
    errors_.clear();
    return TakeAccess(
        message_, addresses_, [](const std::string& field) { return "of " + field; }, errors_);
  }

  fs::path folder_;
  config::v1::ServerConfig message_;
  ListenerAddresses addresses_ = {"0.0.0.0:8001", "unix:/run/octet.sock", "127.0.0.1:8002"};
  std::vector<std::string> errors_;
};

TEST_F(AccessSettingsTest, NothingSetIsOpenToAllAndManagedFromHere) {
  const AccessSettings settings = Take();
  EXPECT_THAT(errors_, IsEmpty());
  EXPECT_EQ(settings.policy, AccessPolicy());
  EXPECT_FALSE(settings.tls_of(ListenerKind::kGrpc).is_on);
  EXPECT_THAT(settings.warnings, IsEmpty());
  message_.set_allow_management(true);
  EXPECT_EQ(Take().policy.of(ListenerKind::kHttp).anonymous,
            (Roles{Role::kInfer, Role::kRead, Role::kAdmin}));
}

TEST_F(AccessSettingsTest, TlsIsOnForAllButUnixSocketsUnlessSaid) {
  SetTls();
  message_.set_tls_client_ca(Path("ca.pem"));
  message_.mutable_access()->mutable_metrics()->set_tls(false);
  const AccessSettings settings = Take();
  EXPECT_THAT(errors_, IsEmpty());
  EXPECT_TRUE(settings.tls_of(ListenerKind::kGrpc).is_on);
  EXPECT_EQ(settings.tls_of(ListenerKind::kGrpc).clients, ClientCertificates::kRequired);
  EXPECT_FALSE(settings.tls_of(ListenerKind::kHttp).is_on);
  EXPECT_FALSE(settings.tls_of(ListenerKind::kMetrics).is_on);
  message_.mutable_access()->mutable_http()->set_tls(true);
  EXPECT_TRUE(Take().tls_of(ListenerKind::kHttp).is_on);
  message_.clear_tls_client_ca();
  EXPECT_EQ(Take().tls_of(ListenerKind::kGrpc).clients, ClientCertificates::kIgnored);
}

TEST_F(AccessSettingsTest, AnAccessFileClosesWhatIsNotOpened) {
  SetTls();
  message_.set_access_file(Path("tokens"));
  message_.mutable_access()->mutable_metrics()->set_anonymous("read");
  message_.mutable_access()->mutable_http()->set_own_machine("admin, infer");
  const AccessSettings settings = Take();
  EXPECT_THAT(errors_, IsEmpty());
  EXPECT_EQ(settings.policy.of(ListenerKind::kGrpc),
            (ListenerPolicy{.anonymous = {}, .own_machine = {}}));
  EXPECT_EQ(settings.policy.of(ListenerKind::kMetrics).anonymous, Roles{Role::kRead});
  EXPECT_EQ(settings.policy.of(ListenerKind::kHttp).own_machine,
            (Roles{Role::kAdmin, Role::kInfer}));
  EXPECT_THAT(settings.warnings, IsEmpty());
}

TEST_F(AccessSettingsTest, TokensWithoutTlsAreWarnedOfWhereTheyLeaveTheMachine) {
  message_.set_access_file(Path("tokens"));
  EXPECT_THAT(Take().warnings,
              ElementsAre(HasSubstr("grpc at 0.0.0.0:8001 takes tokens without TLS")));
}

TEST_F(AccessSettingsTest, EveryErrorIsToldWithItsField) {
  message_.set_tls_key(Path("none.key"));
  message_.set_tls_client_ca(Path("none.pem"));
  message_.set_access_file(Path("tokens"));
  message_.set_allow_management(true);
  message_.mutable_access()->mutable_grpc()->set_tls(true);
  message_.mutable_access()->mutable_grpc()->set_anonymous("everything");
  message_.mutable_access()->mutable_http()->set_require_client_certificate(true);
  Take();
  EXPECT_THAT(errors_,
              ElementsAre(HasSubstr("of tls_key: wants tls_certificate beside it"),
                          HasSubstr("of tls_client_ca: wants tls_certificate and tls_key"),
                          AllOf(HasSubstr("of tls_key: "), HasSubstr("none.key: cannot be read")),
                          AllOf(HasSubstr("of tls_client_ca: "), HasSubstr("none.pem")),
                          HasSubstr("of allow_management: is for servers that know no callers"),
                          HasSubstr("of access.grpc.tls: wants tls_certificate"),
                          HasSubstr("of access.grpc.anonymous: wants roles"),
                          HasSubstr("of access.http.require_client_certificate: wants TLS")));
}

TEST_F(AccessSettingsTest, WhatIsInTheFilesIsChecked) {
  SetTls();
  Write("s.key", Issue({.common_name = "other"}).key_pem);
  Write("tokens", "ci admin token:short-secret\nci nothing\n");
  message_.set_access_file(Path("tokens"));
  Take();
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("s.key: is not the key of the certificate"),
                                   AllOf(HasSubstr("of access_file: "), HasSubstr("tokens:1: "),
                                         Not(HasSubstr("short-secret"))),
                                   HasSubstr("tokens:2: ")));
}

TEST_F(AccessSettingsTest, CertificatesWantSomebodyToTrust) {
  SetTls();
  message_.set_access_file(Path("certificates"));
  Take();
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("of access_file: names client certificates, which "
                                             "wants tls_client_ca")));
  message_.set_tls_client_ca(Path("ca.pem"));
  message_.mutable_access()->mutable_grpc()->set_require_client_certificate(false);
  EXPECT_EQ(Take().tls_of(ListenerKind::kGrpc).clients, ClientCertificates::kVerified);
  EXPECT_THAT(errors_, IsEmpty());
  message_.clear_access_file();
  Take();
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("of access.grpc.require_client_certificate: got "
                                             "false, wants access_file beside it")));
}

}  // namespace
}  // namespace octet
