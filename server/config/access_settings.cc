// SPDX-License-Identifier: Apache-2.0

#include "server/config/access_settings.h"

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "proto/octet/config/v1/config.pb.h"
#include "server/access/credential_files.h"
#include "server/access/roles.h"

namespace octet {
namespace {

using config::v1::ListenerAccess;
using ConfigMessage = config::v1::ServerConfig;

constexpr std::array<ListenerKind, kNumListenerKinds> kListeners = {
    ListenerKind::kGrpc, ListenerKind::kHttp, ListenerKind::kMetrics};

// Whether what is sent to `address` may be seen by other machines.
bool LeavesTheMachine(const std::string& address) {
  for (const char* const own : {"unix:", "127.", "localhost:", "[::1]:"}) {
    if (absl::StartsWith(address, own)) return false;
  }
  return true;
}

class Taker {
 public:
  Taker(const ConfigMessage& message, const ListenerAddresses& addresses,
        const std::function<std::string(const std::string& field)>& origin,
        std::vector<std::string>& errors)
      : message_(message), addresses_(addresses), origin_(origin), errors_(errors) {}

  AccessSettings Take() {
    settings_.tls_files = {.certificate = message_.tls_certificate(),
                           .key = message_.tls_key(),
                           .client_ca = message_.tls_client_ca()};
    settings_.access_file = message_.access_file();
    settings_.policy.protect_health = message_.access().protect_health();
    CheckTlsFiles();
    CheckAccessFile();
    TakeListener(ListenerKind::kGrpc, message_.access().grpc());
    TakeListener(ListenerKind::kHttp, message_.access().http());
    TakeListener(ListenerKind::kMetrics, message_.access().metrics());
    if (has_tokens_) WarnOfTokensInTheClear();
    return std::move(settings_);
  }

 private:
  void Fail(const std::string& field, absl::string_view what) {
    errors_.push_back(absl::StrCat(origin_(field), ": ", what));
  }
  // Each line is an error of its own.
  void Fail(const std::string& field, const absl::Status& status) {
    for (const absl::string_view line : absl::StrSplit(std::string(status.message()), '\n')) {
      Fail(field, line);
    }
  }

  [[nodiscard]] bool has_certificate() const { return !settings_.tls_files.certificate.empty(); }
  [[nodiscard]] bool has_client_ca() const { return !settings_.tls_files.client_ca.empty(); }

  void CheckTlsFiles() {
    const TlsFiles& files = settings_.tls_files;
    if (has_certificate() && files.key.empty()) Fail("tls_certificate", "wants tls_key beside it");
    if (!files.key.empty() && !has_certificate())
      Fail("tls_key", "wants tls_certificate beside it");
    if (has_client_ca() && !has_certificate()) {
      Fail("tls_client_ca", "wants tls_certificate and tls_key beside it");
    }
    bool can_read_all = has_certificate() && !files.key.empty();
    for (const auto& [field, path] :
         {std::pair("tls_certificate", files.certificate), std::pair("tls_key", files.key),
          std::pair("tls_client_ca", files.client_ca)}) {
      if (path.empty()) continue;
      const absl::Status status = ReadCredentialFile(path).status();
      if (status.ok()) continue;
      Fail(field, status);
      can_read_all = false;
    }
    if (!can_read_all) return;
    const absl::Status status = LoadTlsCredentials(files).status();
    if (!status.ok()) Fail("tls_certificate", status);
  }

  void CheckAccessFile() {
    if (settings_.access_file.empty()) return;
    if (message_.allow_management()) {
      Fail("allow_management",
           "is for servers that know no callers; beside access_file, give the role admin there");
    }
    const absl::StatusOr<LoadedIdentities> identities = LoadIdentities(settings_.access_file);
    if (!identities.ok()) return Fail("access_file", identities.status());
    has_tokens_ = identities->list->has_tokens();
    if (identities->list->has_certificates() && !has_client_ca()) {
      Fail("access_file",
           "names client certificates, which wants tls_client_ca: whom to trust for them");
    }
  }

  void TakeListener(ListenerKind kind, const ListenerAccess& access) {
    const auto index = static_cast<std::size_t>(kind);
    const std::string path = absl::StrCat("access.", ListenerKindName(kind), ".");
    const bool is_file = absl::StartsWith(addresses_[index], "unix:");
    AccessSettings::Tls& tls = settings_.tls[index];
    tls.is_on = access.has_tls() ? access.tls() : has_certificate() && !is_file;
    if (access.has_tls() && access.tls() && !has_certificate()) {
      Fail(path + "tls", "wants tls_certificate and tls_key");
    }
    TakeClientCertificates(path + "require_client_certificate", access, tls);

    ListenerPolicy& policy = settings_.policy.of(kind);
    if (!settings_.access_file.empty()) policy = {.anonymous = {}, .own_machine = {}};
    if (message_.allow_management() && settings_.access_file.empty()) {
      policy.anonymous = policy.anonymous | Roles{Role::kAdmin};
    }
    if (access.has_anonymous()) TakeRoles(path + "anonymous", access.anonymous(), policy.anonymous);
    if (access.has_own_machine()) {
      TakeRoles(path + "own_machine", access.own_machine(), policy.own_machine);
    }
  }

  void TakeClientCertificates(const std::string& path, const ListenerAccess& access,
                              AccessSettings::Tls& tls) {
    const bool is_wanted = access.has_require_client_certificate();
    if (is_wanted && access.require_client_certificate() && !(has_client_ca() && tls.is_on)) {
      return Fail(path, "wants TLS at this listener, and tls_client_ca");
    }
    if (!tls.is_on || !has_client_ca()) return;
    const bool is_required = !is_wanted || access.require_client_certificate();
    tls.clients = is_required ? ClientCertificates::kRequired : ClientCertificates::kVerified;
    if (!is_required && settings_.access_file.empty()) {
      Fail(path,
           "got false, wants access_file beside it: without one, a client certificate that "
           "is not required decides nothing");
    }
  }

  void TakeRoles(const std::string& path, const std::string& text, Roles& roles) {
    const absl::StatusOr<Roles> parsed = ParseRoles(text);
    if (parsed.ok()) {
      roles = *parsed;
    } else {
      Fail(path, parsed.status());
    }
  }

  void WarnOfTokensInTheClear() {
    for (const ListenerKind kind : kListeners) {
      const std::string& address = addresses_[static_cast<std::size_t>(kind)];
      if (settings_.tls_of(kind).is_on || !LeavesTheMachine(address)) continue;
      settings_.warnings.push_back(absl::StrCat(
          ListenerKindName(kind), " at ", address,
          " takes tokens without TLS: whoever sees the network can use them; give tls_certificate "
          "and tls_key, or put a proxy with TLS before it"));
    }
  }

  const ConfigMessage& message_;
  const ListenerAddresses& addresses_;
  const std::function<std::string(const std::string& field)>& origin_;
  std::vector<std::string>& errors_;
  AccessSettings settings_;
  bool has_tokens_ = false;
};

}  // namespace

AccessSettings TakeAccess(const ConfigMessage& message, const ListenerAddresses& addresses,
                          const std::function<std::string(const std::string& field)>& origin,
                          std::vector<std::string>& errors) {
  return Taker(message, addresses, origin, errors).Take();
}

}  // namespace octet
