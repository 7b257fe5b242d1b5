// SPDX-License-Identifier: Apache-2.0
// May this caller do that? Decides, and does nothing else: no transport, no files, no log.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "models/base/mutex.h"
#include "server/access/identity_list.h"
#include "server/access/operation.h"
#include "server/access/roles.h"

namespace octet {

enum class ListenerKind : std::uint8_t { kGrpc, kHttp, kMetrics };
inline constexpr std::size_t kNumListenerKinds = 3;
// "grpc", "http", "metrics".
const char* ListenerKindName(ListenerKind listener);

// What callers may do at one listener without proving who they are.
struct ListenerPolicy {
  Roles anonymous = {Role::kInfer, Role::kRead};
  Roles own_machine = {Role::kAdmin};  // also, to callers over its loopback or a Unix socket

  friend bool operator==(const ListenerPolicy&, const ListenerPolicy&) = default;
};

struct AccessPolicy {
  std::array<ListenerPolicy, kNumListenerKinds> listeners;  // by ListenerKind
  // Whether kHealth too needs a role.
  bool protect_health = false;

  [[nodiscard]] const ListenerPolicy& of(ListenerKind listener) const {
    return listeners[static_cast<std::size_t>(listener)];
  }
  ListenerPolicy& of(ListenerKind listener) {
    return listeners[static_cast<std::size_t>(listener)];
  }

  friend bool operator==(const AccessPolicy&, const AccessPolicy&) = default;
};

// What a front end knows of who calls, asked for only where it decides.
class Caller {
 public:
  // Over this machine's loopback or a Unix socket.
  [[nodiscard]] virtual bool IsOwnMachine() const = 0;
  // The value of the header `authorization`; empty without one.
  [[nodiscard]] virtual absl::string_view Authorization() const = 0;

  // Calls `visit` for each name in the client certificate, which the transport has verified.
  using NameVisitor = absl::FunctionRef<void(CertificateNameKind kind, absl::string_view name)>;
  virtual void VisitCertificateNames(NameVisitor visit) const = 0;

 protected:
  ~Caller() = default;
};

// Thread safety: any thread may call any method.
class AccessControl {
 public:
  // Without identities, until SetIdentities.
  explicit AccessControl(AccessPolicy policy) : policy_(policy) {}
  AccessControl(const AccessControl&) = delete;
  AccessControl& operator=(const AccessControl&) = delete;

  // Every call from now on is decided by `identities`.
  void SetIdentities(std::shared_ptr<const IdentityList> identities) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether `caller` may do `operation` at `listener`: it has any of the roles that RolesFor names,
  // those of the policy and of all that it proves together. What proves nothing more is not looked
  // at: a token that is unknown does no harm where none is needed. `method` is for the message.
  //
  // Returns UNAUTHENTICATED if it has proved nothing and could, or its token is unknown;
  // PERMISSION_DENIED if it is known, and has other roles, or nothing it could prove would help. No
  // message holds a token or a certificate's names.
  absl::Status Authorize(ListenerKind listener, Operation operation, absl::string_view method,
                         const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);

  // How often SetIdentities was called: what was decided before may be decided otherwise now.
  [[nodiscard]] std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  // What was refused, since the start.
  struct Refusals {
    std::uint64_t unauthenticated = 0;
    std::uint64_t permission_denied = 0;
  };
  [[nodiscard]] Refusals refusals(ListenerKind listener) const;

 private:
  struct Counts {
    std::atomic<std::uint64_t> unauthenticated = 0;
    std::atomic<std::uint64_t> permission_denied = 0;
  };

  [[nodiscard]] std::shared_ptr<const IdentityList> identities() const ABSL_LOCKS_EXCLUDED(mutex_);

  const AccessPolicy policy_;
  std::atomic<std::uint64_t> generation_ = 0;
  mutable std::array<Counts, kNumListenerKinds> refusals_;

  mutable Mutex mutex_;
  std::shared_ptr<const IdentityList> identities_ ABSL_GUARDED_BY(mutex_);  // null: none
};

}  // namespace octet
