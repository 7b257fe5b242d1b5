// SPDX-License-Identifier: Apache-2.0
// `octet quantize`: a float bundle to an INT8 or INT4 one.

#include "models/quantization/quantize.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/commands.h"
#include "client/cli/input_files.h"
#include "client/cli/local_model.h"
#include "models/base/status_macros.h"
#include "models/bundle/reader.h"
#include "models/bundle/writer.h"
#include "models/calibration/calibrators.h"
#include "models/operators/operators.h"

namespace octet::cli {
namespace {

struct QuantizeArguments {
  std::string bundle;
  std::string mode;
  std::string output;
  std::vector<std::string> calibration;
  std::string calibrator = "min-max";
  std::string kernel_set;
  bool replace = false;
};

std::string ModeList() {
  std::string text;
  for (const QuantizationModeEntry& mode : QuantizationModes()) {
    absl::StrAppend(&text, "\n  ", mode.name, ": ", mode.description);
  }
  return text;
}

absl::Status RunQuantize(const QuantizeArguments& arguments) {
  ASSIGN_OR_RETURN(const QuantizationMode mode, ParseQuantizationMode(arguments.mode));
  ASSIGN_OR_RETURN(const kernels::KernelSet* const kernels, ChooseKernelSet(arguments.kernel_set));
  ASSIGN_OR_RETURN(const Bundle source, ReadBundle(arguments.bundle));
  std::vector<Tensor> calibration;
  if (!arguments.calibration.empty()) {
    ASSIGN_OR_RETURN(calibration,
                     ReadInputFiles(arguments.calibration, InputSpecifications(source.graph)));
  } else if (mode == QuantizationMode::kInt8Static) {
    return absl::InvalidArgumentError(
        "--mode int8-static wants --calibration FILE.npy: rows like those it will serve");
  }
  ASSIGN_OR_RETURN(const Bundle quantized, Quantize(source, BuiltInOperators(),
                                                    {.mode = mode,
                                                     .calibration = calibration,
                                                     .calibrator = arguments.calibrator,
                                                     .kernels = kernels}));
  RETURN_IF_ERROR(WriteBundle(quantized, arguments.output,
                              {.if_exists = arguments.replace ? WriteOptions::IfExists::kReplace
                                                              : WriteOptions::IfExists::kRefuse}));
  std::cout << arguments.output << "  " << quantized.precision << " from " << arguments.bundle
            << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddQuantize(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "quantize",
      "Make an INT8 or INT4 bundle from a float one.\n"
      "Example: octet quantize models/digits/1 --mode int8-static --calibration x.npy "
      "--output models/digits-int8/1");
  const auto arguments = std::make_shared<QuantizeArguments>();
  command->add_option("bundle", arguments->bundle, "A float bundle")->required();
  command->add_option("--mode", arguments->mode, "One of:" + ModeList())->required();
  command->add_option("--output", arguments->output, "The bundle to write")->required();
  command->add_option("--calibration", arguments->calibration,
                      "FILE.npy, or NAME=FILE.npy: rows to find the ranges of activations with");
  command->add_option("--calibrator", arguments->calibrator, "How a range is chosen: min-max")
      ->capture_default_str();
  command
      ->add_option("--kernel-set", arguments->kernel_set,
                   "What int8-static calibrates on: reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  command->add_flag("--replace", arguments->replace, "Replace a bundle that is there");
  command->callback([arguments, &result] { result = RunQuantize(*arguments); });
}

}  // namespace octet::cli
