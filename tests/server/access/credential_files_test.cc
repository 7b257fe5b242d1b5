// SPDX-License-Identifier: Apache-2.0

#include "server/access/credential_files.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/certificates.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using octet::testing::Issue;
using octet::testing::IssuedCertificate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::optional<Sha256Digest> Digest(unsigned char value) {
  Sha256Digest digest{};
  digest[0] = value;
  return digest;
}

TEST(SettledFilesTest, AreTriedOnceWhenTheyHaveBeenTheSameTwice) {
  SettledFiles files(Digest(1));
  EXPECT_FALSE(files.ShouldTry(Digest(1)));
  EXPECT_FALSE(files.is_settling());
  EXPECT_FALSE(files.ShouldTry(Digest(2)));
  EXPECT_TRUE(files.is_settling());
  EXPECT_FALSE(files.ShouldTry(Digest(3)));  // still changing
  EXPECT_TRUE(files.ShouldTry(Digest(3)));
  EXPECT_FALSE(files.ShouldTry(Digest(3)));
  EXPECT_FALSE(files.is_settling());
  EXPECT_FALSE(files.ShouldTry(Digest(4)));
  EXPECT_FALSE(files.ShouldTry(Digest(3)));  // and back
  EXPECT_FALSE(files.ShouldTry(Digest(3)));
}

class CredentialFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / absl::StrCat("octet_credential_files_", ::getpid());
    fs::create_directories(folder_);
    WriteServer(server_);
    Write("access", "ci infer token:0123456789abcdef\n");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(Path(name)) << text;
    ::chmod(Path(name).c_str(), mode);
  }
  void WriteServer(const IssuedCertificate& server) const {
    Write("s.pem", server.certificate_pem, 0644);
    Write("s.key", server.key_pem);
  }
  CredentialFiles::Options Options() {
    return {.tls = {.certificate = Path("s.pem"), .key = Path("s.key"), .client_ca = ""},
            .access_file = Path("access"),
            .poll = std::chrono::milliseconds(5),
            .on_event = [this](CredentialFiles::Outcome outcome, const std::string& message) {
              const MutexLock lock(mutex_);
              events_.push_back(absl::StrCat(static_cast<int>(outcome), " ", message));
            }};
  }
  std::vector<std::string> events() {
    const MutexLock lock(mutex_);
    return events_;
  }
  template <typename Condition>
  static void WaitUntil(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ASSERT_TRUE(condition());
  }

  fs::path folder_;
  IssuedCertificate server_ = Issue({.common_name = "one"});
  AccessControl access_{AccessPolicy()};
  Mutex mutex_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(CredentialFilesTest, WhatIsRightIsTakenWhenItChanges) {
  const auto files = CredentialFiles::Create(Options(), access_).value();
  EXPECT_EQ(access_.generation(), 1U);
  files->Start();
  const IssuedCertificate next = Issue({.common_name = "two"});
  WriteServer(next);
  WaitUntil([&] { return files->counts().certificates_taken == 1; });
  EXPECT_EQ(files->tls()->current()->pem().certificate, next.certificate_pem);
  Write("access", "ci read token:0123456789abcdef\n");
  WaitUntil([&] { return files->counts().identities_taken == 1; });
  EXPECT_EQ(access_.generation(), 2U);
  files->Stop();
  EXPECT_EQ(files->counts().identities_refused, 0U);
  EXPECT_THAT(events().back(), HasSubstr("read again, 1 tokens and certificate names"));
  EXPECT_THAT(absl::StrJoin(events(), "\n"), Not(HasSubstr("0123456789abcdef")));
}

TEST_F(CredentialFilesTest, WhatIsWrongChangesNothingAndIsTold) {
  const auto files = CredentialFiles::Create(Options(), access_).value();
  files->Start();
  // The certificate is new and the key is not: what two renames look like in between.
  const IssuedCertificate next = Issue({.common_name = "two"});
  Write("s.pem", next.certificate_pem);
  WaitUntil([&] { return files->counts().certificates_refused == 1; });
  EXPECT_EQ(files->tls()->current()->pem().certificate, server_.certificate_pem);
  Write("s.key", next.key_pem);
  WaitUntil([&] { return files->counts().certificates_taken == 1; });
  EXPECT_EQ(files->tls()->current()->pem().key, next.key_pem);

  Write("access", "ci infer token:short-secret\n");
  WaitUntil([&] { return files->counts().identities_refused == 1; });
  fs::remove(Path("access"));
  WaitUntil([&] { return files->counts().identities_refused == 2; });
  EXPECT_EQ(access_.generation(), 1U);
  files->Stop();
  const std::string all = absl::StrJoin(events(), "\n");
  EXPECT_THAT(all, HasSubstr("1 TLS goes on with the certificate it had: "));
  EXPECT_THAT(all, HasSubstr("is not the key of the certificate"));
  EXPECT_THAT(all, HasSubstr("access:1: the token has 12 characters"));
  EXPECT_THAT(all, HasSubstr("access: cannot be read: No such file"));
  EXPECT_THAT(all, Not(HasSubstr("short-secret")));
}

TEST_F(CredentialFilesTest, WithoutFilesThereIsNothingToWatch) {
  const auto files = CredentialFiles::Create({}, access_).value();
  files->Start();
  EXPECT_EQ(files->tls(), nullptr);
  EXPECT_EQ(access_.generation(), 0U);
}

TEST_F(CredentialFilesTest, ModesThatLetEverybodyInAreToldOrRefused) {
  ::chmod(Path("access").c_str(), 0644);
  ::chmod(Path("s.key").c_str(), 0644);
  ASSERT_TRUE(CredentialFiles::Create(Options(), access_).ok());
  EXPECT_THAT(events(), ElementsAre(HasSubstr("s.key: everybody may read this private key"),
                                    HasSubstr("access: holds tokens and everybody may read it")));
  ::chmod(Path("access").c_str(), 0602);
  EXPECT_THAT(std::string(LoadIdentities(Path("access")).status().message()),
              HasSubstr("access: everybody may write it, wants a mode such as 0600"));
}

TEST_F(CredentialFilesTest, FilesThatCannotBeReadAreNamed) {
  const auto error = [](const std::string& path) {
    return std::string(ReadCredentialFile(path).status().message());
  };
  EXPECT_THAT(error(Path("none")), HasSubstr("none: cannot be read: No such file"));
  EXPECT_THAT(error(folder_.string()), HasSubstr("is no file"));
  Write("huge", std::string((std::size_t{1} << 20) + 1, 'a'));
  EXPECT_THAT(error(Path("huge")), HasSubstr("huge: is larger than 1048576 bytes"));
  Write("empty", "# nobody\n");
  EXPECT_THAT(std::string(LoadIdentities(Path("empty")).status().message()),
              HasSubstr("empty: holds no identity"));
}

}  // namespace
}  // namespace octet
