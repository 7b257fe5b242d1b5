// SPDX-License-Identifier: Apache-2.0
// What the server writes to standard error.

#pragma once

#include "server/repository/bundle_loader.h"

namespace octet {

// Sends the program's log to standard error, one line an event, with time and level.
void StartLog();

// One line: what was loaded, or what was not, why, and what to do; then one a warning.
void LogOutcome(const LoadOutcome& outcome);

}  // namespace octet
