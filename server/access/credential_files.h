// SPDX-License-Identifier: Apache-2.0
// The files that hold what is secret, read at the start and again whenever they change.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/base/mutex.h"
#include "server/access/access_control.h"
#include "server/access/identity_list.h"
#include "server/access/sha256.h"
#include "server/access/tls_credentials.h"

namespace octet {

struct LoadedIdentities {
  std::shared_ptr<const IdentityList> list;
  std::vector<std::string> warnings;
};

// Reads an access file. Returns INVALID_ARGUMENT or NOT_FOUND with every error, one a line, each
// naming the file and the line and none of what it says; also for a file that everybody may write,
// and for one without an identity. One that holds tokens and that everybody may read is a warning.
absl::StatusOr<LoadedIdentities> LoadIdentities(const std::string& path);

// Reads and checks. Returns the error of the first file that is wrong.
absl::StatusOr<std::shared_ptr<const TlsCredentials>> LoadTlsCredentials(const TlsFiles& files);

// What is worth a warning of files that could be read: a key that everybody may read.
std::vector<std::string> TlsWarnings(const TlsFiles& files);

// What listeners show to connections that begin now. Thread safety: any thread.
class TlsProvider {
 public:
  explicit TlsProvider(std::shared_ptr<const TlsCredentials> credentials)
      : current_(std::move(credentials)) {}

  // Never null.
  [[nodiscard]] std::shared_ptr<const TlsCredentials> current() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    return current_;
  }
  void Set(std::shared_ptr<const TlsCredentials> credentials) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    current_.swap(credentials);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const TlsCredentials> current_ ABSL_GUARDED_BY(mutex_);
};

// When to take files that change while they are looked at: once they have been the same twice.
// Pure.
class SettledFiles {
 public:
  // `first` is what was taken at the start.
  explicit SettledFiles(std::optional<Sha256Digest> first) : tried_(first), seen_(first) {}

  // Whether to try what has the digest `now`: it is another than what was tried, and was there the
  // time before. Each is tried once.
  bool ShouldTry(std::optional<Sha256Digest> now);
  // Whether something was seen that has not been tried.
  [[nodiscard]] bool is_settling() const { return seen_ != tried_; }

 private:
  std::optional<Sha256Digest> tried_;
  std::optional<Sha256Digest> seen_;
};

// Looks at the files on a thread of its own, `credentials`, and hands on what is new and right.
// What is wrong changes nothing, and is told.
//
// Thread safety: Start, Stop and the destructor from one thread; the rest from any.
class CredentialFiles {
 public:
  enum class Outcome : std::uint8_t {
    kTaken,
    kRefused,  // what was taken before stays
    kWarning,
  };
  struct Options {
    TlsFiles tls;             // no certificate: none
    std::string access_file;  // empty: none
    std::chrono::milliseconds poll{1000};
    // Called on the thread, and by Create with warnings.
    std::function<void(Outcome outcome, const std::string& message)> on_event;
  };
  // How often each was taken anew or refused since the start.
  struct Counts {
    std::uint64_t certificates_taken = 0;
    std::uint64_t certificates_refused = 0;
    std::uint64_t identities_taken = 0;
    std::uint64_t identities_refused = 0;
  };

  // Reads what there is, and hands the identities to `access`, which is borrowed.
  // Returns the errors of LoadTlsCredentials and LoadIdentities.
  static absl::StatusOr<std::unique_ptr<CredentialFiles>> Create(Options options,
                                                                 AccessControl& access);
  // Stops.
  ~CredentialFiles();
  CredentialFiles(const CredentialFiles&) = delete;
  CredentialFiles& operator=(const CredentialFiles&) = delete;

  // Null without a certificate.
  [[nodiscard]] const TlsProvider* tls() const { return tls_.get(); }
  [[nodiscard]] Counts counts() const;

  // Starts the thread, if there are files to look at.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  CredentialFiles(Options options, AccessControl& access);

  absl::Status LoadFirst();
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  void LookAtCertificates();
  void LookAtIdentities();
  void Tell(Outcome outcome, const std::string& message) const;
  // Waits. Returns whether the end has come.
  bool WaitFor(std::chrono::milliseconds time) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  AccessControl& access_;
  std::unique_ptr<TlsProvider> tls_;
  std::optional<SettledFiles> certificates_;  // of the thread
  std::optional<SettledFiles> identities_;

  std::atomic<std::uint64_t> certificates_taken_ = 0;
  std::atomic<std::uint64_t> certificates_refused_ = 0;
  std::atomic<std::uint64_t> identities_taken_ = 0;
  std::atomic<std::uint64_t> identities_refused_ = 0;

  Mutex mutex_;
  CondVar changed_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace octet
