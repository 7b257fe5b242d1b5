// SPDX-License-Identifier: Apache-2.0
// `octet evaluate`: a bundle's accuracy on labelled data.

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "client/cli/attention_precision.h"
#include "client/cli/commands.h"
#include "client/cli/local_model.h"
#include "models/base/status_macros.h"
#include "models/bundle/evaluation.h"
#include "models/quality/agreement.h"
#include "models/quality/interval.h"

namespace octet::cli {
namespace {

struct EvaluateOptions {
  std::string bundle;
  std::vector<std::string> inputs;
  std::string labels;
  std::string data_set;
  std::string kernel_set;
  AttentionPrecision attention_precision = AttentionPrecision::kFloat32;
  bool record = false;
  bool json = false;
};

absl::Status Evaluate(const EvaluateOptions& options) {
  ASSIGN_OR_RETURN(const auto model,
                   LocalModel::Load(options.bundle, options.kernel_set,
                                    {.attention_precision = options.attention_precision}));
  ASSIGN_OR_RETURN(const auto inputs, ReadInputFiles(options.inputs, model->inputs()));
  ASSIGN_OR_RETURN(const auto labels, ReadLabels(options.labels, NumRows(inputs)));
  ASSIGN_OR_RETURN(const auto outputs, model->Run(inputs));
  const Tensor& scores = outputs.front();
  if (scores.data_type() != DataType::kFloat32) {
    return absl::UnimplementedError(absl::StrCat("the first output is ",
                                                 DataTypeName(scores.data_type()),
                                                 ", wants FP32 scores of the classes"));
  }
  const auto num_rows = static_cast<std::int64_t>(labels.size());
  const std::int64_t num_classes = NumElements(scores.dims()) / num_rows;
  RETURN_IF_ERROR(CheckLabels(options.labels, labels, num_classes));
  const double accuracy = Top1Accuracy(scores.as<float>(), labels);
  const Interval interval = WilsonInterval(accuracy, num_rows);
  if (options.record) {
    RETURN_IF_ERROR(RecordEvaluation(
        options.bundle, {.data_set = options.data_set.empty()
                                         ? std::filesystem::path(options.labels).stem().string()
                                         : options.data_set,
                         .samples = num_rows,
                         .top1_accuracy = accuracy,
                         .bundle_digest = model->bundle().digest}));
  }
  if (options.json) {
    const nlohmann::ordered_json json = {{"accuracy", accuracy},
                                         {"low", interval.low},
                                         {"high", interval.high},
                                         {"samples", num_rows},
                                         {"precision", model->bundle().precision}};
    std::cout << json.dump(2) << "\n";
    return absl::OkStatus();
  }
  std::cout << absl::StrFormat("%s: accuracy %.2f %% (95 %%: %.2f to %.2f) on %d samples\n",
                               model->bundle().precision, accuracy * 100, interval.low * 100,
                               interval.high * 100, num_rows);
  return absl::OkStatus();
}

}  // namespace

void AddEvaluate(CLI::App& app, absl::Status& result) {
  auto* const command =
      app.add_subcommand("evaluate",
                         "Measure a bundle's accuracy on labelled data.\n"
                         "Example: octet evaluate models/digits/1 --input x.npy --labels y.npy");
  const auto options = std::make_shared<EvaluateOptions>();
  command->add_option("bundle", options->bundle, "A bundle: a folder or an .octet file")
      ->required();
  command->add_option("--input", options->inputs, "NAME=FILE.npy, or FILE.npy for a single input");
  command->add_option("--labels", options->labels, "FILE.npy with a class for each row")
      ->required();
  command->add_flag("--record", options->record,
                    "Keep the result in evaluation.json beside the manifest: the server shows it");
  command->add_option("--data-set", options->data_set,
                      "Its name in evaluation.json; default: the labels' file name");
  command->add_option("--kernel-set", options->kernel_set, "reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  AddAttentionPrecision(*command, options->attention_precision);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &result] { result = Evaluate(*options); });
}

}  // namespace octet::cli
