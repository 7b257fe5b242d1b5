// SPDX-License-Identifier: Apache-2.0
// The page at /: what is served, how fast and how right, for people.

#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "server/frontends/http/control_answers.h"

namespace octet {

// A whole HTML document that loads nothing, runs no script, and reloads itself every 5 s.
std::string StatusPage(const HttpRooms& rooms);

// `text` with <, >, &, " and ' as entities.
std::string EscapeHtml(absl::string_view text);

}  // namespace octet
