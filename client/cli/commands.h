// SPDX-License-Identifier: Apache-2.0
// The subcommands of `octet`, one file each.

#pragma once

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace octet::cli {

// Each adds its subcommand to `app`. When the command line names it, its callback runs the command
// and leaves the outcome in `result`; both outlive the parsing.
void AddBench(CLI::App& app, absl::Status& result);
void AddCompare(CLI::App& app, absl::Status& result);
void AddDemo(CLI::App& app, absl::Status& result);
void AddDoctor(CLI::App& app, absl::Status& result);
void AddEvaluate(CLI::App& app, absl::Status& result);
void AddImport(CLI::App& app, absl::Status& result);
void AddInfer(CLI::App& app, absl::Status& result);
void AddInspect(CLI::App& app, absl::Status& result);
void AddQuantize(CLI::App& app, absl::Status& result);
void AddRun(CLI::App& app, absl::Status& result);
void AddTune(CLI::App& app, absl::Status& result);

}  // namespace octet::cli
