// SPDX-License-Identifier: Apache-2.0
// `octet compare`: what two or more bundles answer to the same rows.

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/cli/commands.h"
#include "client/cli/engine_bench.h"
#include "client/cli/local_model.h"
#include "client/cli/table.h"
#include "models/base/status_macros.h"
#include "models/quality/agreement.h"
#include "models/quality/cosine.h"
#include "models/quality/difference.h"

namespace octet::cli {
namespace {

struct CompareOptions {
  std::vector<std::string> bundles;
  std::vector<std::string> inputs;
  std::string kernel_set;
};

absl::Status Compare(const CompareOptions& options) {
  Table table(
      {"bundle", "precision", "agreement", "cosine", "SQNR dB", "max |difference|", "us a row"});
  std::vector<Tensor> first;
  for (const std::string& path : options.bundles) {
    ASSIGN_OR_RETURN(const auto model, LocalModel::Load(path, options.kernel_set));
    ASSIGN_OR_RETURN(const auto inputs, ReadInputFiles(options.inputs, model->inputs()));
    ASSIGN_OR_RETURN(auto outputs, model->Run(inputs));
    ASSIGN_OR_RETURN(const EngineResult time,
                     BenchEngine({.bundle = path,
                                  .kernel_set = options.kernel_set,
                                  .inputs = options.inputs,
                                  .duration = std::chrono::milliseconds(500)}));
    const Tensor& output = outputs.front();
    if (output.data_type() != DataType::kFloat32) {
      return absl::UnimplementedError(absl::StrCat("\"", path, "\": the first output is ",
                                                   DataTypeName(output.data_type()),
                                                   ", wants FP32"));
    }
    if (first.empty()) {
      table.AddRow({path, model->bundle().precision, "-", "-", "-", "-",
                    absl::StrFormat("%.1f", time.median_us)});
      first = std::move(outputs);
      continue;
    }
    if (output.dims() != first.front().dims()) {
      return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" answers ",
                                                     ToString(output.dims()), ", the first ",
                                                     ToString(first.front().dims())));
    }
    const auto width = static_cast<std::size_t>(NumElements(output.dims()) /
                                                std::max<std::int64_t>(output.dims()[0], 1));
    const auto a = first.front().as<float>();
    const auto b = output.as<float>();
    table.AddRow({path, model->bundle().precision,
                  absl::StrFormat("%.2f %%", Top1Agreement(a, b, width) * 100),
                  absl::StrFormat("%.6f", MeanCosineSimilarity(a, b, width)),
                  absl::StrFormat("%.1f", SqnrDecibels(a, b)),
                  absl::StrFormat("%.3g", MaxAbsDifference(a, b)),
                  absl::StrFormat("%.1f", time.median_us)});
  }
  std::cout << table.ToString();
  return absl::OkStatus();
}

}  // namespace

void AddCompare(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "compare",
      "Compare what bundles answer to the same rows, and how long they take.\n"
      "Example: octet compare models/digits/1 models/digits-int8/1 --input x.npy");
  const auto options = std::make_shared<CompareOptions>();
  command->add_option("bundles", options->bundles, "Bundles; the first is the yardstick")
      ->required()
      ->expected(2, 64);
  command->add_option("--input", options->inputs, "NAME=FILE.npy, or FILE.npy for a single input")
      ->required();
  command->add_option("--kernel-set", options->kernel_set, "reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  command->callback([options, &result] { result = Compare(*options); });
}

}  // namespace octet::cli
