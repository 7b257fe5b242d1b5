// SPDX-License-Identifier: Apache-2.0
#include "client/credentials.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/credential_folder.h"

namespace octet::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Issue;
using testing::IssuedCertificate;
using ::testing::Not;

constexpr char kToken[] = "0b8f29c5a1cf40e59df5b5c3e0a3d2b1";

class CredentialsTest : public ::testing::Test {
 protected:
  std::string ErrorOf(const CredentialOptions& options) {
    return std::string(Credentials::Load(options).status().message());
  }

  testing::CredentialFolder folder_;
  const IssuedCertificate ca_ = Issue({.common_name = "root"});
  const IssuedCertificate client_ = Issue({.common_name = "client", .issuer = &ca_});
};

TEST_F(CredentialsTest, WithoutOptionsThereIsNothing) {
  const auto loaded = Credentials::Load({});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_FALSE((*loaded)->has_tls());
  EXPECT_FALSE((*loaded)->has_token());
  EXPECT_TRUE((*loaded)->CheckUseAt("octet.example:8001").ok());
}

TEST_F(CredentialsTest, ReadsWhatItIsGiven) {
  const auto loaded =
      Credentials::Load({.ca_file = folder_.Write("ca.pem", ca_.certificate_pem),
                         .certificate_file = folder_.Write("c.pem", client_.certificate_pem),
                         .key_file = folder_.Write("c.key", client_.key_pem),
                         .token_file = folder_.Write("token", absl::StrCat("  ", kToken, "\n"))});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE((*loaded)->has_tls());
  EXPECT_TRUE((*loaded)->has_certificate());
  EXPECT_EQ((*loaded)->authorization(), absl::StrCat("Bearer ", kToken));
  EXPECT_EQ((*loaded)->ServerNameAt("octet.example:8001"), "octet.example");
  EXPECT_GT((*loaded)->certificate_not_after(), std::chrono::system_clock::now());
  EXPECT_THAT((*loaded)->warnings(), ElementsAre());
}

TEST_F(CredentialsTest, WrongFilesAreNamed) {
  const std::string certificate = folder_.Write("c.pem", client_.certificate_pem);
  const std::string key = folder_.Write("c.key", client_.key_pem);
  const std::string nonsense = folder_.Write("nonsense", "secret nonsense");
  const auto wrong = [&](const CredentialOptions& options, const std::string& file,
                         const std::string& what) {
    EXPECT_THAT(ErrorOf(options),
                AllOf(HasSubstr(folder_.Path(file)), HasSubstr(what), Not(HasSubstr("secret"))));
  };
  wrong({.ca_file = folder_.Path("gone")}, "gone", "No such file");
  wrong({.ca_file = folder_.Path("")}, "", "is a folder");
  wrong({.ca_file = nonsense}, "nonsense", "holds no certificate");
  wrong({.ca_file = folder_.Write("half", ca_.certificate_pem.substr(0, 200))}, "half",
        "holds no certificate");
  wrong({.certificate_file = certificate}, "c.pem", "has no key file");
  wrong({.key_file = key}, "c.key", "no client certificate");
  wrong({.certificate_file = certificate, .key_file = nonsense}, "nonsense", "no private key");
  wrong({.certificate_file = certificate, .key_file = folder_.Write("other", ca_.key_pem)}, "other",
        "is not the key of the certificate");
  const IssuedCertificate locked = Issue({.common_name = "x", .passphrase = "secret"});
  wrong({.certificate_file = folder_.Write("l.pem", locked.certificate_pem),
         .key_file = folder_.Write("l.key", locked.key_pem)},
        "l.key", "passphrase");
  const IssuedCertificate old = Issue({.common_name = "x", .seconds_left = -60});
  wrong({.certificate_file = folder_.Write("o.pem", old.certificate_pem),
         .key_file = folder_.Write("o.key", old.key_pem)},
        "o.pem", "has expired");
  wrong({.ca_file = folder_.Write("large", std::string((1 << 20) + 1, 'x'))}, "large",
        "is larger than");
}

TEST_F(CredentialsTest, WhatIsNoTokenIsRefusedAndNotShown) {
  for (const std::string text :
       {"", " \n", "secret with blanks", "secret\nsecond", "secret\"", "secr\xC3\xA9t"}) {
    EXPECT_THAT(ErrorOf({.token_file = folder_.Write("token", text)}),
                AllOf(HasSubstr(folder_.Path("token")), HasSubstr("is no bearer token"),
                      Not(HasSubstr("secr"))))
        << text;
  }
  EXPECT_THAT(ErrorOf({.token_file = folder_.Write("token", std::string(9000, 'x'))}),
              HasSubstr("has 9000 characters"));
  EXPECT_THAT(ErrorOf({.token = "two words", .token_source = "THE_VARIABLE"}),
              HasSubstr("THE_VARIABLE: is no bearer token"));
}

TEST_F(CredentialsTest, ATokenLeavesThisMachineOnlyWithTls) {
  const auto token = Credentials::Load({.token = kToken});
  ASSERT_TRUE(token.ok());
  EXPECT_TRUE((*token)->CheckUseAt("localhost:8001").ok());
  EXPECT_TRUE((*token)->CheckUseAt("unix:/run/octet.sock").ok());
  const absl::Status refused = (*token)->CheckUseAt("octet.example:8001");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("octet.example:8001"), Not(HasSubstr(kToken))));
  for (const CredentialOptions& options : {CredentialOptions{.tls = true, .token = kToken},
                                           {.token = kToken, .token_without_tls = true}}) {
    const auto loaded = Credentials::Load(options);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE((*loaded)->CheckUseAt("octet.example:8001").ok());
  }
}

TEST_F(CredentialsTest, AUnixSocketHasNoTls) {
  const auto tls = Credentials::Load({.server_name = "octet.example"});
  ASSERT_TRUE(tls.ok());
  EXPECT_EQ((*tls)->ServerNameAt("10.0.0.1:8001"), "octet.example");
  EXPECT_EQ((*tls)->CheckUseAt("unix:/run/octet.sock").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CredentialsTest, WarnsOfSecretsThatEverybodyMayRead) {
  const std::string token = folder_.Write("token", kToken);
  std::filesystem::permissions(token, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  const auto loaded = Credentials::Load({.token_file = token});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT((*loaded)->warnings(), ElementsAre(HasSubstr(token)));
}

}  // namespace
}  // namespace octet::client
