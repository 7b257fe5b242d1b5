// SPDX-License-Identifier: Apache-2.0
// `octet tune`: measures which of several ways to compute each layer is the fastest on this CPU.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/commands.h"
#include "client/cli/input_files.h"
#include "client/cli/kernel_choices.h"
#include "client/cli/local_model.h"
#include "client/cli/table.h"
#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/operators.h"
#include "models/runtime/kernel_choices_file.h"
#include "models/runtime/measure_choices.h"

namespace octet::cli {
namespace {

struct TuneOptions {
  std::string bundle;
  std::string choices;
  std::string kernel_set;
  std::vector<std::string> inputs;
  std::vector<std::int64_t> batches = {1, 16};
  int seconds = 10;
};

// Rows for each batch: those of --input, or of the self-test.
absl::StatusOr<std::vector<std::vector<Tensor>>> Batches(const LocalModel& model,
                                                         const TuneOptions& options) {
  std::vector<Tensor> given;
  if (!options.inputs.empty()) {
    ASSIGN_OR_RETURN(given, ReadInputFiles(options.inputs, model.inputs()));
  } else if (!model.bundle().self_test) {
    return absl::InvalidArgumentError(absl::StrCat(
        "bundle \"", options.bundle, "\" has no self-test rows: give rows with --input"));
  }
  const std::vector<Tensor>& rows = given.empty() ? model.bundle().self_test->inputs : given;
  std::vector<std::vector<Tensor>> batches;
  for (const std::int64_t batch : options.batches) batches.push_back(TakeRows(rows, batch));
  return batches;
}

absl::Status Tune(const TuneOptions& options) {
  // It must compute the right thing before it is worth computing it fast.
  ASSIGN_OR_RETURN(const auto model, LocalModel::Load(options.bundle, options.kernel_set));
  ASSIGN_OR_RETURN(const auto batches, Batches(*model, options));
  const kernels::KernelSet& kernels = model->executable()->kernel_set();
  KernelChoices choices = *ReadChoices(options.choices);
  MeasureOptions measure;
  measure.budget = std::chrono::seconds(options.seconds);
  ASSIGN_OR_RETURN(const int num_layers, MeasureChoices(model->bundle().graph, BuiltInOperators(),
                                                        kernels, batches, measure, choices));
  if (num_layers == 0) {
    std::cout << "kernel set " << kernels.name << " has one implementation for every layer\n";
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(WriteKernelChoices(options.choices, choices));
  const auto chosen = std::make_shared<const KernelChoices>(std::move(choices));
  // The self-test runs once more, on what was chosen.
  ASSIGN_OR_RETURN(const auto tuned,
                   LocalModel::Load(options.bundle, options.kernel_set, {.choices = chosen}));
  Table table({"step", "kernel", "implementation"});
  for (const StepDescription& step : tuned->executable()->steps()) {
    if (!step.implementation.has_value() || step.implementation->fitting.size() < 2) continue;
    table.AddRow({step.node, step.kernel, ImplementationText(*step.implementation)});
  }
  std::cout << kernels::CpuName() << ", kernel set " << kernels.name << ": " << num_layers
            << " layers measured, kept in " << options.choices << "\n"
            << table.ToString();
  return absl::OkStatus();
}

}  // namespace

void AddTune(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "tune",
      "Measure which implementation of each layer is the fastest on this CPU, and keep it in a\n"
      "file. Results do not change: all implementations compute the same bits.\n"
      "Example: octet tune models/digits/1 --kernel-choices choices.txt");
  const auto options = std::make_shared<TuneOptions>();
  command->add_option("bundle", options->bundle, "A bundle: a folder or an .octet file")
      ->required();
  AddKernelChoices(*command, options->choices)->required();
  command->add_option("--kernel-set", options->kernel_set, "reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  command->add_option(
      "--input", options->inputs,
      "NAME=FILE.npy, or FILE.npy for a single input; default: the self-test's rows");
  command->add_option("--batch", options->batches, "Batch sizes to be fast at")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->add_option("--seconds", options->seconds, "Time to measure")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
  command->callback([options, &result] { result = Tune(*options); });
}

}  // namespace octet::cli
