// SPDX-License-Identifier: Apache-2.0
// Names that a stranger chose, fit for a message.

#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace octet {

// `name` in quotes: what is not printable ASCII escaped as in C, what follows the first 128 bytes
// replaced by "...".
std::string Quoted(absl::string_view name);

}  // namespace octet
