// SPDX-License-Identifier: Apache-2.0

#include "server/access/identity_list.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The SHA-256 of "correct-horse-battery".
constexpr char kHash[] = "a0fdffc1c2b7ec6fc2db6b2d0b2dae4cac1f9de81a6c2b1ec91a36b75be4a40a";

std::vector<std::string> ErrorsOf(absl::string_view text) {
  std::vector<std::string> errors;
  static_cast<void>(IdentityList::Parse(text, "access", errors));
  return errors;
}

IdentityList Parse(absl::string_view text) {
  std::vector<std::string> errors;
  IdentityList list = IdentityList::Parse(text, "access", errors);
  EXPECT_THAT(errors, IsEmpty());
  return list;
}

TEST(IdentityListTest, TokensAreFoundByTheirHash) {
  const Sha256Digest digest = Sha256("correct-horse-battery").value();
  std::string hex;
  for (const unsigned char byte : digest) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
  const IdentityList list = Parse(absl::StrCat("ci admin sha256:", hex, "\n"));
  ASSERT_NE(list.FindToken("correct-horse-battery"), nullptr);
  EXPECT_EQ(list.FindToken("correct-horse-battery")->name, "ci");
  EXPECT_EQ(list.FindToken("correct-horse-battery")->roles, Roles{Role::kAdmin});
  EXPECT_EQ(list.FindToken("correct-horse-batter"), nullptr);
  EXPECT_EQ(list.FindToken(hex), nullptr);  // the hash is no token
  EXPECT_EQ(list.FindToken(""), nullptr);
  EXPECT_TRUE(list.has_tokens());
  EXPECT_FALSE(list.has_plain_tokens());
  EXPECT_FALSE(list.has_certificates());
}

TEST(IdentityListTest, CommentsSpacesAndEmptyLinesAreNothing) {
  const IdentityList list = Parse(
      "# who may do what\n\n  \t\r\n"
      "web\t infer, read \t token:0123456789abcdef==\r\n"
      "   ops admin,infer token:0123456789ABCDEF");
  EXPECT_EQ(list.size(), 2U);
  EXPECT_EQ(list.FindToken("0123456789abcdef==")->roles, (Roles{Role::kInfer, Role::kRead}));
  EXPECT_EQ(list.FindToken("0123456789ABCDEF")->roles, (Roles{Role::kInfer, Role::kAdmin}));
  EXPECT_TRUE(list.has_plain_tokens());
}

TEST(IdentityListTest, CertificatesAreFoundByNameAndKind) {
  const IdentityList list = Parse(
      "a infer uri:spiffe://cluster.local/ns/web/sa/front\n"
      "b read dns:client.example\n"
      "c read email:a@b.example\n"
      "d read ip:10.0.0.1\n"
      "e read cn:front\n"
      "f admin subject:CN=ops,O=Acme Inc\n");
  const auto name = [&list](CertificateNameKind kind, absl::string_view text) {
    const Identity* const identity = list.FindCertificate(kind, text);
    return identity == nullptr ? std::string() : identity->name;
  };
  EXPECT_EQ(name(CertificateNameKind::kUri, "spiffe://cluster.local/ns/web/sa/front"), "a");
  EXPECT_EQ(name(CertificateNameKind::kDns, "client.example"), "b");
  EXPECT_EQ(name(CertificateNameKind::kEmail, "a@b.example"), "c");
  EXPECT_EQ(name(CertificateNameKind::kIp, "10.0.0.1"), "d");
  EXPECT_EQ(name(CertificateNameKind::kCommonName, "front"), "e");
  EXPECT_EQ(name(CertificateNameKind::kSubject, "CN=ops,O=Acme Inc"), "f");
  EXPECT_EQ(name(CertificateNameKind::kDns, "front"), "");
  EXPECT_EQ(name(CertificateNameKind::kDns, absl::string_view("client.example\0x", 16)), "");
  EXPECT_FALSE(list.has_tokens());
  EXPECT_TRUE(list.has_certificates());
}

TEST(IdentityListTest, EveryWrongLineIsTold) {
  EXPECT_THAT(
      ErrorsOf("ci admin sha256:12\n"
               "good infer token:0123456789abcdef\n"
               "ci adm token:0123456789abcdeg\n"
               "c i admin token:0123456789abcdeg\n"
               "ci admin token:short\n"
               "ci admin token:0123456789abc def\n"
               "ci admin password:0123456789abcdeg\n"
               "ci admin\n"
               "ci\n"
               "ci admin uri:\n"
               "n\xc3\xa4me admin token:0123456789abcdeg\n"
               "again infer token:0123456789abcdef\n"),
      ElementsAre(HasSubstr("access:1: sha256: wants the 64"),
                  HasSubstr("access:3: the second field wants roles"),
                  HasSubstr("access:4: the second field wants roles"),
                  HasSubstr("access:5: the token has 5 characters, wants 16 to 4096"),
                  HasSubstr("access:6: the token wants letters"),
                  HasSubstr("access:7: the third field wants to begin with sha256:"),
                  HasSubstr("access:8: the third field"), HasSubstr("access:9: the second field"),
                  HasSubstr("access:10: uri: wants"), HasSubstr("access:11: the name"),
                  HasSubstr("access:12: a line before has the same")));
}

TEST(IdentityListTest, NoErrorHoldsWhatMayBeSecret) {
  constexpr char kSecret[] = "s3cretS3cretS3cret";
  for (const std::string& line :
       {absl::StrCat(kSecret), absl::StrCat("ci ", kSecret), absl::StrCat("ci admin ", kSecret),
        absl::StrCat(kSecret, "! admin token:0123456789abcdef"),
        absl::StrCat("ci ", kSecret, " token:0123456789abcdef"),
        absl::StrCat("ci admin sha256:", kSecret), absl::StrCat("ci admin token:", kSecret, "%"),
        absl::StrCat("ci admin pass:", kSecret)}) {
    const std::vector<std::string> errors = ErrorsOf(line);
    EXPECT_EQ(errors.size(), 1U) << line;
    EXPECT_THAT(absl::StrJoin(errors, "\n"), Not(HasSubstr("s3cret"))) << line;
  }
}

TEST(IdentityListTest, HasAtMostAThousandLines) {
  std::string text;
  for (int i = 0; i < 1001; ++i) absl::StrAppend(&text, "n infer token:0123456789abcdef", i, "\n");
  EXPECT_THAT(ErrorsOf(text), ElementsAre(HasSubstr("access:1001: wants at most 1000 lines")));
}

TEST(IdentityListTest, AHugeTokenIsNobodys) {
  const IdentityList list = Parse(absl::StrCat("n infer sha256:", kHash));
  EXPECT_EQ(list.FindToken(std::string(std::size_t{1} << 20, 'a')), nullptr);
}

}  // namespace
}  // namespace octet
