// SPDX-License-Identifier: Apache-2.0
// How many rows the batches of a version have.

#pragma once

#include <cstdint>

#include "server/repository/model_settings.h"
#include "server/repository/model_version.h"
#include "server/scheduling/scheduler.h"

namespace octet {

// Has batches of several requests of `version` have no more than `paying_rows`, where they are
// known (0: not), and says in its metrics how many that makes; what `settings`, if there are any,
// say goes first. `scheduler` may be null.
void ApplyBatchLimit(const ModelVersion& version, std::int64_t paying_rows,
                     const ModelSettings* settings, Scheduler* scheduler);

}  // namespace octet
