// SPDX-License-Identifier: Apache-2.0

#include "server/access/tls_credentials.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "openssl/ssl.h"

#include "tests/support/certificates.h"

namespace octet {
namespace {

using octet::testing::Issue;
using octet::testing::IssuedCertificate;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const TlsFiles kFiles = {.certificate = "s.pem", .key = "s.key", .client_ca = ""};
const TlsFiles kMutual = {.certificate = "s.pem", .key = "s.key", .client_ca = "ca.pem"};

class TlsCredentialsTest : public ::testing::Test {
 protected:
  static std::string ErrorOf(const TlsPem& pem, const TlsFiles& files = kFiles) {
    const auto made = TlsCredentials::Create(pem, files);
    return made.ok() ? "" : std::string(made.status().message());
  }

  IssuedCertificate root_ = Issue({.common_name = "root"});
  IssuedCertificate server_ =
      Issue({.common_name = "localhost", .alternative_names = "DNS:localhost", .issuer = &root_});
  IssuedCertificate client_ =
      Issue({.common_name = "front",
             .organization = "Acme Inc",
             .alternative_names = "URI:spiffe://x/front,DNS:front.example,email:a@b.example,"
                                  "IP:10.0.0.1,IP:2001:db8::1",
             .issuer = &root_});
  TlsPem pem_ = {.certificate = server_.certificate_pem, .key = server_.key_pem, .client_ca = ""};
};

TEST_F(TlsCredentialsTest, TakesAChainAndTellsWhenItExpires) {
  pem_.certificate += root_.certificate_pem;
  const auto made = TlsCredentials::Create(pem_, kFiles);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto left = (*made)->not_after() - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(55));
  EXPECT_LT(left, std::chrono::minutes(61));
  EXPECT_NE((*made)->context(ClientCertificates::kIgnored), nullptr);
}

TEST_F(TlsCredentialsTest, SaysWhichFileIsWrongAndNothingOfIt) {
  TlsPem wrong = pem_;
  wrong.key = Issue({.common_name = "other", .issuer = &root_}).key_pem;
  EXPECT_THAT(ErrorOf(wrong), AllOf(HasSubstr("s.key: is not the key"), HasSubstr("s.pem"),
                                    Not(HasSubstr("-----"))));
  wrong = pem_;
  wrong.certificate = wrong.key;
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("s.pem: holds no certificate, wants PEM"));
  wrong = pem_;
  wrong.key = wrong.certificate;
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("s.key: holds no private key, wants PEM"));
  wrong = pem_;
  wrong.key = Issue({.common_name = "x", .issuer = &root_, .passphrase = "secret"}).key_pem;
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("s.key: the key has a passphrase, wants one without"));
  wrong = pem_;
  wrong.certificate.resize(wrong.certificate.size() / 2);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("s.pem: holds no certificate"));
  wrong = pem_;
  wrong.certificate += wrong.certificate.substr(0, wrong.certificate.size() / 2);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("s.pem: what follows certificate 1 cannot be read"));
  EXPECT_THAT(ErrorOf(pem_, kMutual), HasSubstr("ca.pem: holds no certificate"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("s.pem: holds no certificate"));
}

TEST_F(TlsCredentialsTest, AnExpiredCertificateIsRefused) {
  const IssuedCertificate old =
      Issue({.common_name = "localhost", .seconds_left = -60, .issuer = &root_});
  EXPECT_THAT(ErrorOf({.certificate = old.certificate_pem, .key = old.key_pem, .client_ca = ""}),
              HasSubstr("s.pem: the certificate has expired"));
}

// Both ends of a connection in memory.
class Handshake {
 public:
  Handshake(SSL_CTX* server, const IssuedCertificate* client, int max_version)
      : client_context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
    SSL_CTX_set_max_proto_version(client_context_.get(), max_version);
    SSL_CTX_set_security_level(client_context_.get(), 0);
    if (client != nullptr) {
      SSL_CTX_use_certificate(client_context_.get(), client->certificate.get());
      SSL_CTX_use_PrivateKey(client_context_.get(), client->key.get());
    }
    server_.reset(SSL_new(server), &SSL_free);
    client_.reset(SSL_new(client_context_.get()), &SSL_free);
    BIO* server_bio = nullptr;
    BIO* client_bio = nullptr;
    BIO_new_bio_pair(&server_bio, 0, &client_bio, 0);
    SSL_set_bio(server_.get(), server_bio, server_bio);
    SSL_set_bio(client_.get(), client_bio, client_bio);
    SSL_set_accept_state(server_.get());
    SSL_set_connect_state(client_.get());
    for (int i = 0; i < 20 && !is_done(); ++i) {
      SSL_do_handshake(client_.get());
      SSL_do_handshake(server_.get());
    }
  }

  [[nodiscard]] bool is_done() const {
    return SSL_is_init_finished(server_.get()) != 0 && SSL_is_init_finished(client_.get()) != 0;
  }
  [[nodiscard]] const SSL* server() const { return server_.get(); }

 private:
  std::shared_ptr<SSL_CTX> client_context_;
  std::shared_ptr<SSL> server_;
  std::shared_ptr<SSL> client_;
};

TEST_F(TlsCredentialsTest, ServesTls12AndNewerOnly) {
  const auto made = TlsCredentials::Create(pem_, kFiles).value();
  SSL_CTX* const context = made->context(ClientCertificates::kIgnored);
  EXPECT_FALSE(Handshake(context, nullptr, TLS1_1_VERSION).is_done());
  EXPECT_TRUE(Handshake(context, nullptr, TLS1_2_VERSION).is_done());
  EXPECT_TRUE(Handshake(context, nullptr, TLS1_3_VERSION).is_done());
}

TEST_F(TlsCredentialsTest, VerifiesClientCertificatesAsAsked) {
  pem_.client_ca = root_.certificate_pem;
  const auto made = TlsCredentials::Create(pem_, kMutual).value();
  const IssuedCertificate stranger = Issue({.common_name = "front"});
  const IssuedCertificate old =
      Issue({.common_name = "front", .seconds_left = -60, .issuer = &root_});
  const auto succeeds = [&made](ClientCertificates clients, const IssuedCertificate* client) {
    return Handshake(made->context(clients), client, TLS1_2_VERSION).is_done();
  };
  EXPECT_TRUE(succeeds(ClientCertificates::kRequired, &client_));
  EXPECT_FALSE(succeeds(ClientCertificates::kRequired, nullptr));
  EXPECT_FALSE(succeeds(ClientCertificates::kRequired, &stranger));
  EXPECT_FALSE(succeeds(ClientCertificates::kRequired, &old));
  EXPECT_TRUE(succeeds(ClientCertificates::kVerified, &client_));
  EXPECT_TRUE(succeeds(ClientCertificates::kVerified, nullptr));
  EXPECT_FALSE(succeeds(ClientCertificates::kVerified, &stranger));
  EXPECT_TRUE(succeeds(ClientCertificates::kIgnored, nullptr));
}

TEST_F(TlsCredentialsTest, TellsTheNamesInAClientsCertificate) {
  pem_.client_ca = root_.certificate_pem;
  const auto made = TlsCredentials::Create(pem_, kMutual).value();
  const Handshake handshake(made->context(ClientCertificates::kRequired), &client_, TLS1_3_VERSION);
  ASSERT_TRUE(handshake.is_done());
  std::multimap<CertificateNameKind, std::string> names;
  VisitPeerCertificateNames(handshake.server(), [&names](auto kind, absl::string_view name) {
    names.emplace(kind, std::string(name));
  });
  EXPECT_THAT(names, ::testing::UnorderedElementsAre(
                         ::testing::Pair(CertificateNameKind::kUri, "spiffe://x/front"),
                         ::testing::Pair(CertificateNameKind::kDns, "front.example"),
                         ::testing::Pair(CertificateNameKind::kEmail, "a@b.example"),
                         ::testing::Pair(CertificateNameKind::kIp, "10.0.0.1"),
                         ::testing::Pair(CertificateNameKind::kIp, "2001:db8::1"),
                         ::testing::Pair(CertificateNameKind::kCommonName, "front"),
                         ::testing::Pair(CertificateNameKind::kSubject, "CN=front,O=Acme Inc")));
}

TEST_F(TlsCredentialsTest, AConnectionWithoutACertificateHasNoNames) {
  const auto made = TlsCredentials::Create(pem_, kFiles).value();
  const Handshake handshake(made->context(ClientCertificates::kIgnored), nullptr, TLS1_3_VERSION);
  ASSERT_TRUE(handshake.is_done());
  int count = 0;
  VisitPeerCertificateNames(handshake.server(), [&count](auto, absl::string_view) { ++count; });
  EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace octet
