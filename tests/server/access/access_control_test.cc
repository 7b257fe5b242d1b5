// SPDX-License-Identifier: Apache-2.0

#include "server/access/access_control.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kInferToken[] = "infer-infer-infer-1";
constexpr char kReadToken[] = "read-read-read-read-1";
constexpr char kAdminToken[] = "admin-admin-admin-1";

struct FakeCaller final : Caller {
  bool is_own_machine = false;
  std::string authorization;
  std::vector<std::pair<CertificateNameKind, std::string>> names;
  mutable int questions = 0;

  [[nodiscard]] bool IsOwnMachine() const override {
    ++questions;
    return is_own_machine;
  }
  [[nodiscard]] absl::string_view Authorization() const override {
    ++questions;
    return authorization;
  }
  void VisitCertificateNames(NameVisitor visit) const override {
    ++questions;
    for (const auto& [kind, name] : names) visit(kind, name);
  }
};

FakeCaller Anonymous() { return {}; }
FakeCaller Local() {
  FakeCaller caller;
  caller.is_own_machine = true;
  return caller;
}
FakeCaller With(const std::string& token) {
  FakeCaller caller;
  caller.authorization = "Bearer " + token;
  return caller;
}
FakeCaller Named(const std::string& dns) {
  FakeCaller caller;
  caller.names = {{CertificateNameKind::kCommonName, dns}, {CertificateNameKind::kDns, dns}};
  return caller;
}

std::shared_ptr<const IdentityList> Identities() {
  std::vector<std::string> errors;
  auto list = std::make_shared<const IdentityList>(
      IdentityList::Parse("training infer token:infer-infer-infer-1\n"
                          "board read token:read-read-read-read-1\n"
                          "ops admin token:admin-admin-admin-1\n"
                          "front infer dns:front.example\n"
                          "front infer cn:front.example\n"
                          "nobody none dns:nobody.example\n",
                          "access", errors));
  EXPECT_THAT(errors, testing::IsEmpty());
  return list;
}

AccessPolicy Closed() {
  AccessPolicy policy;
  policy.listeners.fill({.anonymous = {}, .own_machine = {}});
  return policy;
}

absl::StatusCode Decide(const AccessControl& access, Operation operation, const Caller& caller) {
  return access.Authorize(ListenerKind::kGrpc, operation, "Method", caller).code();
}

constexpr auto kOk = absl::StatusCode::kOk;
constexpr auto kUnknown = absl::StatusCode::kUnauthenticated;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr std::array kOperations = {Operation::kHealth, Operation::kDescribe, Operation::kInfer,
                                    Operation::kRead, Operation::kManage};

struct Row {
  const char* who;
  FakeCaller caller;
  std::array<absl::StatusCode, kOperations.size()> expected;  // by kOperations
};

void Expect(const AccessControl& access, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kOperations.size(); ++i) {
      EXPECT_EQ(Decide(access, kOperations[i], row.caller), row.expected[i])
          << row.who << ", operation " << i;
    }
  }
}

TEST(AccessControlTest, WithoutIdentitiesAllButManagementIsOpen) {
  const AccessControl access{AccessPolicy()};
  Expect(access, {{"anonymous", Anonymous(), {kOk, kOk, kOk, kOk, kDenied}},
                  {"own machine", Local(), {kOk, kOk, kOk, kOk, kOk}},
                  {"a token", With(kAdminToken), {kOk, kOk, kOk, kOk, kDenied}}});
}

TEST(AccessControlTest, WithIdentitiesRolesDecide) {
  AccessControl access(Closed());
  access.SetIdentities(Identities());
  FakeCaller both = Named("front.example");
  both.authorization = std::string("bearer  ") + kReadToken;
  FakeCaller wrong_scheme;
  wrong_scheme.authorization = std::string("Basic ") + kAdminToken;
  FakeCaller known_and_unknown = Named("front.example");
  known_and_unknown.authorization = "Bearer unknown-unknown";
  Expect(access,
         {{"anonymous", Anonymous(), {kOk, kUnknown, kUnknown, kUnknown, kUnknown}},
          {"own machine", Local(), {kOk, kUnknown, kUnknown, kUnknown, kUnknown}},
          {"infer", With(kInferToken), {kOk, kOk, kOk, kDenied, kDenied}},
          {"read", With(kReadToken), {kOk, kOk, kDenied, kOk, kDenied}},
          {"admin", With(kAdminToken), {kOk, kOk, kDenied, kOk, kOk}},
          {"unknown", With("unknown-unknown-1"), {kOk, kUnknown, kUnknown, kUnknown, kUnknown}},
          {"no token", With(""), {kOk, kUnknown, kUnknown, kUnknown, kUnknown}},
          {"Basic", wrong_scheme, {kOk, kUnknown, kUnknown, kUnknown, kUnknown}},
          {"certificate", Named("front.example"), {kOk, kOk, kOk, kDenied, kDenied}},
          {"other certificate", Named("x"), {kOk, kUnknown, kUnknown, kUnknown, kUnknown}},
          {"no roles", Named("nobody.example"), {kOk, kDenied, kDenied, kDenied, kDenied}},
          {"certificate and token", both, {kOk, kOk, kOk, kOk, kDenied}},
          {"certificate, bad token", known_and_unknown, {kOk, kOk, kOk, kUnknown, kUnknown}}});
}

TEST(AccessControlTest, HealthCanBeProtected) {
  AccessPolicy policy = Closed();
  policy.protect_health = true;
  AccessControl access(policy);
  access.SetIdentities(Identities());
  EXPECT_EQ(Decide(access, Operation::kHealth, Anonymous()), kUnknown);
  for (const char* const token : {kInferToken, kReadToken, kAdminToken}) {
    EXPECT_EQ(Decide(access, Operation::kHealth, With(token)), kOk);
  }
}

TEST(AccessControlTest, EachListenerHasAPolicy) {
  AccessPolicy policy = Closed();
  policy.of(ListenerKind::kMetrics).anonymous = {Role::kRead};
  policy.of(ListenerKind::kHttp).own_machine = {Role::kAdmin};
  AccessControl access(policy);
  access.SetIdentities(Identities());
  const auto decide = [&access](ListenerKind listener, Operation operation, const Caller& caller) {
    return access.Authorize(listener, operation, "x", caller).code();
  };
  EXPECT_EQ(decide(ListenerKind::kMetrics, Operation::kRead, Anonymous()), kOk);
  EXPECT_EQ(decide(ListenerKind::kGrpc, Operation::kRead, Anonymous()), kUnknown);
  EXPECT_EQ(decide(ListenerKind::kHttp, Operation::kManage, Local()), kOk);
  EXPECT_EQ(decide(ListenerKind::kHttp, Operation::kManage, Anonymous()), kUnknown);
  EXPECT_EQ(decide(ListenerKind::kGrpc, Operation::kManage, Local()), kUnknown);
}

TEST(AccessControlTest, WhereCertificatesAreAllThereIsAnUnknownOneIsDenied) {
  std::vector<std::string> errors;
  AccessControl access(Closed());
  access.SetIdentities(std::make_shared<const IdentityList>(
      IdentityList::Parse("front infer dns:front.example", "access", errors)));
  EXPECT_EQ(Decide(access, Operation::kInfer, Named("other.example")), kDenied);
  EXPECT_EQ(Decide(access, Operation::kInfer, Anonymous()), kUnknown);
  EXPECT_EQ(Decide(access, Operation::kInfer, With(kInferToken)), kUnknown);
}

TEST(AccessControlTest, MessagesSayWhatToDoAndNothingSecret) {
  AccessControl access(Closed());
  access.SetIdentities(Identities());
  const auto message = [&access](Operation operation, const Caller& caller) {
    return std::string(
        access.Authorize(ListenerKind::kGrpc, operation, "RepositoryModelLoad", caller).message());
  };
  EXPECT_THAT(message(Operation::kManage, Anonymous()),
              AllOf(HasSubstr("RepositoryModelLoad needs the role admin"),
                    HasSubstr("authorization: Bearer TOKEN or a client certificate")));
  EXPECT_THAT(message(Operation::kRead, With(kInferToken)),
              AllOf(HasSubstr("read or admin"), HasSubstr("training, has infer"),
                    Not(HasSubstr(kInferToken))));
  EXPECT_THAT(
      message(Operation::kRead, With("unknown-unknown-1")),
      AllOf(HasSubstr("does not know the bearer token"), Not(HasSubstr("unknown-unknown"))));
  EXPECT_THAT(message(Operation::kRead, Named("front.example")), HasSubstr("front, has infer"));
  const AccessControl open{AccessPolicy()};
  EXPECT_THAT(std::string(open.Authorize(ListenerKind::kGrpc, Operation::kManage, "LogSettings",
                                         Anonymous())
                              .message()),
              AllOf(HasSubstr("LogSettings is for callers on the server's own machine"),
                    HasSubstr("--allow-management"), HasSubstr("--access-file")));
}

TEST(AccessControlTest, NobodyIsAskedWhereNothingIsNeeded) {
  const AccessControl access{AccessPolicy()};
  const FakeCaller caller = With(kInferToken);
  EXPECT_EQ(Decide(access, Operation::kInfer, caller), kOk);
  EXPECT_EQ(Decide(access, Operation::kRead, caller), kOk);
  EXPECT_EQ(caller.questions, 0);
}

TEST(AccessControlTest, IdentitiesAreReplacedAndRefusalsCounted) {
  AccessControl access(Closed());
  access.SetIdentities(Identities());
  const std::uint64_t before = access.generation();
  EXPECT_EQ(Decide(access, Operation::kInfer, With(kInferToken)), kOk);
  std::vector<std::string> errors;
  access.SetIdentities(std::make_shared<const IdentityList>(
      IdentityList::Parse("training read token:infer-infer-infer-1", "access", errors)));
  EXPECT_NE(access.generation(), before);
  EXPECT_EQ(Decide(access, Operation::kInfer, With(kInferToken)), kDenied);
  EXPECT_EQ(Decide(access, Operation::kInfer, With(kAdminToken)), kUnknown);
  EXPECT_EQ(Decide(access, Operation::kInfer, Anonymous()), kUnknown);
  EXPECT_EQ(access.refusals(ListenerKind::kGrpc).permission_denied, 1U);
  EXPECT_EQ(access.refusals(ListenerKind::kGrpc).unauthenticated, 2U);
  EXPECT_EQ(access.refusals(ListenerKind::kHttp).unauthenticated, 0U);
}

}  // namespace
}  // namespace octet
