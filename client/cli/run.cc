// SPDX-License-Identifier: Apache-2.0
// `octet run`: a bundle on given inputs, offline.

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/attention_precision.h"
#include "client/cli/commands.h"
#include "client/cli/input_files.h"
#include "client/cli/local_model.h"
#include "client/cli/npy.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

struct RunOptions {
  std::string bundle;
  std::vector<std::string> inputs;
  std::string output;
  std::string kernel_set;
  AttentionPrecision attention_precision = AttentionPrecision::kFloat32;
};

// "dense/Softmax:0" to "dense_Softmax_0".
std::string FileName(std::string name) {
  for (char& character : name) {
    if (character == '/' || character == ':') character = '_';
  }
  return name + ".npy";
}

absl::Status Run(const RunOptions& options) {
  ASSIGN_OR_RETURN(const auto model,
                   LocalModel::Load(options.bundle, options.kernel_set,
                                    {.attention_precision = options.attention_precision}));
  ASSIGN_OR_RETURN(const auto inputs, ReadInputFiles(options.inputs, model->inputs()));
  ASSIGN_OR_RETURN(const auto outputs, model->Run(inputs));
  std::error_code error;
  std::filesystem::create_directories(options.output, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output \"", options.output, "\": ", error.message()));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& signature = model->executable()->outputs()[i];
    const std::string path =
        (std::filesystem::path(options.output) / FileName(signature.name)).string();
    RETURN_IF_ERROR(WriteNpy(path, outputs[i].view()));
    std::cout << path << "  " << DataTypeName(outputs[i].data_type()) << ToString(outputs[i].dims())
              << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddRun(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "run",
      "Run a bundle offline.\nExample: octet run models/digits/1 --input x.npy --output answers");
  const auto options = std::make_shared<RunOptions>();
  command->add_option("bundle", options->bundle, "A bundle: a folder or an .octet file")
      ->required();
  command->add_option("--input", options->inputs,
                      "NAME=FILE.npy, or FILE.npy for a single input; every input of the model");
  command->add_option("--output", options->output, "Folder for NAME.npy of each output")
      ->required();
  command->add_option("--kernel-set", options->kernel_set, "reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  AddAttentionPrecision(*command, options->attention_precision);
  command->callback([options, &result] { result = Run(*options); });
}

}  // namespace octet::cli
