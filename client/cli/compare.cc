// SPDX-License-Identifier: Apache-2.0
// `octet compare`: what two or more bundles answer to the same rows, layer by layer.

#include <iostream>
#include <memory>

#include "client/cli/bundle_comparison.h"
#include "client/cli/commands.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

absl::Status RunCompare(const CompareOptions& options, bool json) {
  ASSIGN_OR_RETURN(const ComparisonResult result, CompareBundles(options));
  if (json) {
    // A bundle's path may be no UTF-8.
    std::cout << ComparisonJson(result).dump(2, ' ', false,
                                             nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::cout << ComparisonText(result);
  }
  return absl::OkStatus();
}

}  // namespace

void AddCompare(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "compare",
      "Compare what bundles answer to the same rows, layer by layer, and how long they take.\n"
      "Layers are matched by the names of the values they compute, integers compared as the real\n"
      "numbers they stand for. Times are medians for one row: of the whole bundle, and of each\n"
      "step run by itself. An SQNR of inf (null in JSON) says that nothing differs.\n"
      "Example: octet compare models/digits/1 models/digits-int8/1 --input x.npy");
  const auto options = std::make_shared<CompareOptions>();
  const auto json = std::make_shared<bool>(false);
  command->add_option("bundles", options->bundles, "Bundles; the first is the yardstick")
      ->required()
      ->expected(2, 64);
  command->add_option(
      "--input", options->inputs,
      "NAME=FILE.npy, or FILE.npy for a single input: rows like those it will serve");
  command
      ->add_option("--layer-rows", options->num_layer_rows,
                   "Compare layers on as many of the rows: all their values are held in memory")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--kernel-set", options->kernel_set, "reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  command->add_flag("--json", *json, "Print JSON");
  command->callback([options, json, &result] { result = RunCompare(*options, *json); });
}

}  // namespace octet::cli
