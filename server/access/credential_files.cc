// SPDX-License-Identifier: Apache-2.0

#include "server/access/credential_files.h"

#include <pthread.h>
#include <sys/stat.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

// Between two looks at files that are changing.
constexpr std::chrono::milliseconds kSettle{100};

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// The bits of `path`'s mode; 0 if there is none.
mode_t ModeOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode : 0;
}

// What tells one state of the files from another, errors included.
std::optional<Sha256Digest> DigestOf(const absl::StatusOr<TlsPem>& pem) {
  if (!pem.ok()) return Sha256(absl::StrCat("error ", Text(pem.status())));
  return Sha256(absl::StrCat(pem->certificate.size(), " ", pem->key.size(), " ", pem->certificate,
                             pem->key, pem->client_ca));
}

std::optional<Sha256Digest> DigestOf(const absl::StatusOr<std::string>& text) {
  return Sha256(text.ok() ? absl::StrCat("text ", *text)
                          : absl::StrCat("error ", Text(text.status())));
}

absl::StatusOr<LoadedIdentities> ToIdentities(const std::string& text, const std::string& path) {
  std::vector<std::string> errors;
  LoadedIdentities loaded;
  auto list = std::make_shared<IdentityList>(IdentityList::Parse(text, path, errors));
  const mode_t mode = ModeOf(path);
  if ((mode & S_IWOTH) != 0) {
    errors.push_back(absl::StrCat(path, ": everybody may write it, wants a mode such as 0600"));
  }
  if (errors.empty() && list->size() == 0) {
    errors.push_back(absl::StrCat(path, ": holds no identity, wants lines of NAME ROLES PROOF"));
  }
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  if ((mode & S_IROTH) != 0 && list->has_plain_tokens()) {
    loaded.warnings.push_back(absl::StrCat(
        path,
        ": holds tokens and everybody may read it; write their sha256: instead, or take the "
        "right away (chmod o-r)"));
  }
  loaded.list = std::move(list);
  return loaded;
}

}  // namespace

absl::StatusOr<LoadedIdentities> LoadIdentities(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadCredentialFile(path));
  return ToIdentities(text, path);
}

absl::StatusOr<std::shared_ptr<const TlsCredentials>> LoadTlsCredentials(const TlsFiles& files) {
  ASSIGN_OR_RETURN(TlsPem pem, ReadTlsPem(files));
  return TlsCredentials::Create(std::move(pem), files);
}

std::vector<std::string> TlsWarnings(const TlsFiles& files) {
  if ((ModeOf(files.key) & (S_IROTH | S_IWOTH)) == 0) return {};
  return {absl::StrCat(files.key,
                       ": everybody may read this private key; take the right away (chmod o=)")};
}

bool SettledFiles::ShouldTry(std::optional<Sha256Digest> now) {
  const bool is_same = now == seen_;
  seen_ = now;
  if (!is_same || now == tried_) return false;
  tried_ = now;
  return true;
}

CredentialFiles::CredentialFiles(Options options, AccessControl& access)
    : options_(std::move(options)), access_(access) {}

CredentialFiles::~CredentialFiles() { Stop(); }

absl::StatusOr<std::unique_ptr<CredentialFiles>> CredentialFiles::Create(Options options,
                                                                         AccessControl& access) {
  std::unique_ptr<CredentialFiles> files(new CredentialFiles(std::move(options), access));
  RETURN_IF_ERROR(files->LoadFirst());
  return files;
}

absl::Status CredentialFiles::LoadFirst() {
  if (!options_.tls.certificate.empty()) {
    const absl::StatusOr<TlsPem> pem = ReadTlsPem(options_.tls);
    RETURN_IF_ERROR(pem.status());
    ASSIGN_OR_RETURN(std::shared_ptr<const TlsCredentials> credentials,
                     TlsCredentials::Create(*pem, options_.tls));
    tls_ = std::make_unique<TlsProvider>(std::move(credentials));
    certificates_.emplace(DigestOf(pem));
    for (const std::string& warning : TlsWarnings(options_.tls)) {
      Tell(Outcome::kWarning, warning);
    }
  }
  if (!options_.access_file.empty()) {
    const absl::StatusOr<std::string> text = ReadCredentialFile(options_.access_file);
    RETURN_IF_ERROR(text.status());
    ASSIGN_OR_RETURN(LoadedIdentities loaded, ToIdentities(*text, options_.access_file));
    access_.SetIdentities(std::move(loaded.list));
    identities_.emplace(DigestOf(text));
    for (const std::string& warning : loaded.warnings) Tell(Outcome::kWarning, warning);
  }
  return absl::OkStatus();
}

CredentialFiles::Counts CredentialFiles::counts() const {
  return {.certificates_taken = certificates_taken_,
          .certificates_refused = certificates_refused_,
          .identities_taken = identities_taken_,
          .identities_refused = identities_refused_};
}

void CredentialFiles::Start() {
  if (!certificates_ && !identities_) return;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "credentials");
    Watch();
  });
}

void CredentialFiles::Stop() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

bool CredentialFiles::WaitFor(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!is_stopping_ && std::chrono::steady_clock::now() < until) {
    changed_.WaitUntil(mutex_, until);
  }
  return is_stopping_;
}

void CredentialFiles::Watch() {
  const auto is_settling = [](const std::optional<SettledFiles>& files) {
    return files && files->is_settling();
  };
  while (!WaitFor(is_settling(certificates_) || is_settling(identities_)
                      ? std::min(kSettle, options_.poll)
                      : options_.poll)) {
    if (certificates_) LookAtCertificates();
    if (identities_) LookAtIdentities();
  }
}

void CredentialFiles::LookAtCertificates() {
  absl::StatusOr<TlsPem> pem = ReadTlsPem(options_.tls);
  if (!certificates_->ShouldTry(DigestOf(pem))) return;
  // Changed to something else and back: what serves is what is there.
  if (pem.ok() && *pem == tls_->current()->pem()) return;
  absl::StatusOr<std::shared_ptr<const TlsCredentials>> credentials =
      pem.ok() ? TlsCredentials::Create(*std::move(pem), options_.tls) : pem.status();
  if (!credentials.ok()) {
    ++certificates_refused_;
    return Tell(Outcome::kRefused, absl::StrCat("TLS goes on with the certificate it had: ",
                                                Text(credentials.status())));
  }
  tls_->Set(*std::move(credentials));
  ++certificates_taken_;
  Tell(Outcome::kTaken, absl::StrCat("TLS shows the new certificate of ", options_.tls.certificate,
                                     " to connections from now on"));
  for (const std::string& warning : TlsWarnings(options_.tls)) Tell(Outcome::kWarning, warning);
}

void CredentialFiles::LookAtIdentities() {
  const absl::StatusOr<std::string> text = ReadCredentialFile(options_.access_file);
  if (!identities_->ShouldTry(DigestOf(text))) return;
  absl::StatusOr<LoadedIdentities> loaded =
      text.ok() ? ToIdentities(*text, options_.access_file) : text.status();
  if (!loaded.ok()) {
    ++identities_refused_;
    return Tell(Outcome::kRefused, absl::StrCat("callers are known by the access file as it was: ",
                                                Text(loaded.status())));
  }
  const std::size_t count = loaded->list->size();
  access_.SetIdentities(std::move(loaded->list));
  ++identities_taken_;
  Tell(Outcome::kTaken, absl::StrCat(options_.access_file, ": read again, ", count,
                                     " tokens and certificate names"));
  for (const std::string& warning : loaded->warnings) Tell(Outcome::kWarning, warning);
}

void CredentialFiles::Tell(Outcome outcome, const std::string& message) const {
  if (options_.on_event) options_.on_event(outcome, message);
}

}  // namespace octet
