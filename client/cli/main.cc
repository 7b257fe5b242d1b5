// SPDX-License-Identifier: Apache-2.0
// `octet`: imports, inspects, quantizes, runs, evaluates, calls, compares, benchmarks and tunes
// models, and says what is wrong.

#include <cstdlib>
#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

#include "client/cli/commands.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsedWrongly = 2;

}  // namespace

// Only a lack of memory or a wrong declaration of an option would be thrown.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  CLI::App app(
      "Octet: quantized neural networks on CPUs.\n"
      "Example: octet import model.keras --output models/digits/1");
  app.name("octet");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every command");
  absl::Status result;
  octet::cli::AddImport(app, result);
  octet::cli::AddInspect(app, result);
  octet::cli::AddQuantize(app, result);
  octet::cli::AddRun(app, result);
  octet::cli::AddEvaluate(app, result);
  octet::cli::AddCompare(app, result);
  octet::cli::AddInfer(app, result);
  octet::cli::AddBench(app, result);
  octet::cli::AddTune(app, result);
  octet::cli::AddDemo(app, result);
  octet::cli::AddDoctor(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kUsedWrongly;
  }
  if (result.ok()) return EXIT_SUCCESS;
  std::cerr << "octet " << app.get_subcommands().front()->get_name() << ": " << result.message()
            << "\n";
  return kFailed;
}
