// SPDX-License-Identifier: Apache-2.0
// --attention-precision on the command line.

#pragma once

#include "CLI/CLI.hpp"

#include "models/runtime/attention_precision.h"

namespace octet::cli {

// Adds --attention-precision, with OCTET_ATTENTION_PRECISION as its default, which sets
// `precision`.
CLI::Option* AddAttentionPrecision(CLI::App& command, AttentionPrecision& precision);

}  // namespace octet::cli
