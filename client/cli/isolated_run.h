// SPDX-License-Identifier: Apache-2.0
// Work on a file that nobody vouches for, in a process of its own: a library that crashes over a
// damaged one (libhdf5 does) takes nothing else along.

#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace octet::cli {

// What `work` returns, called in a copy of this process that ends with it: only its status, its
// output and what it does to files remain. INVALID_ARGUMENT naming `file` and the signal where it
// crashes; INTERNAL where no process can be made.
// Precondition: no other thread runs.
absl::Status RunIsolated(absl::string_view file, absl::FunctionRef<absl::Status()> work);

}  // namespace octet::cli
