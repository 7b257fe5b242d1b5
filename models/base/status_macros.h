// SPDX-License-Identifier: Apache-2.0
// The project's only two macros. Abseil 20220623 (Debian 12) has no status_macros.h of its own.

#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Evaluates `expr` (an absl::Status) and returns it from this function if it is not OK.
#define RETURN_IF_ERROR(expr)                                         \
  do {                                                                \
    if (absl::Status status_ = (expr); !status_.ok()) return status_; \
  } while (false)

// Evaluates `expr` (an absl::StatusOr<T>), returns its error from this function or moves its value
// into `lhs`, which may declare a variable.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL_(OCTET_CONCAT_(status_or_, __LINE__), lhs, expr)

#define ASSIGN_OR_RETURN_IMPL_(result, lhs, expr)      \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)
#define OCTET_CONCAT_(a, b) OCTET_CONCAT_IMPL_(a, b)
#define OCTET_CONCAT_IMPL_(a, b) a##b
