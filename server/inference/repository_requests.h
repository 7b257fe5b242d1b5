// SPDX-License-Identifier: Apache-2.0
// What loading and unloading over the network asks of a request, whatever protocol it came in by.

#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace octet {

// NOT_FOUND for any repository but the one there is, which has no name.
absl::Status CheckRepositoryName(absl::string_view name);

// INVALID_ARGUMENT for what no model can be called.
absl::Status CheckModelName(absl::string_view name);

// Of a parameter of loading and unloading: INVALID_ARGUMENT for all but those that mean nothing
// here, and what to do instead. No client gives files or settings over the network.
absl::Status CheckRepositoryParameter(absl::string_view name);

}  // namespace octet
