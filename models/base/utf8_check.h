// SPDX-License-Identifier: Apache-2.0
// Whether text from outside is UTF-8.

#pragma once

#include "absl/strings/string_view.h"

namespace octet {

// No overlong forms, no surrogates, nothing beyond U+10FFFF.
bool IsUtf8(absl::string_view text);

}  // namespace octet
