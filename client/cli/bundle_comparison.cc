// SPDX-License-Identifier: Apache-2.0
#include "client/cli/bundle_comparison.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/cli/input_files.h"
#include "client/cli/local_model.h"
#include "client/cli/table.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/operators.h"
#include "models/quality/agreement.h"
#include "models/runtime/executable.h"

namespace octet::cli {
namespace {

absl::Status Annotate(const absl::Status& status, const std::string& bundle) {
  return {status.code(), absl::StrCat("\"", bundle, "\": ", status.message())};
}

// What a bundle answers.
struct Answers {
  Dims output_dims = {};
  std::vector<float> output = {};  // the first
  std::vector<ObservedValue> values = {};
};

absl::StatusOr<Answers> Answer(LocalModel& model, const std::vector<Tensor>& inputs,
                               std::int64_t num_layer_rows) {
  ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, model.Run(inputs));
  const Tensor& output = outputs.front();
  if (output.data_type() != DataType::kFloat32) {
    return absl::UnimplementedError(
        absl::StrCat("the first output is ", DataTypeName(output.data_type()), ", wants FP32"));
  }
  Answers answers{.output_dims = output.dims()};
  answers.output.assign(output.as<float>().begin(), output.as<float>().end());
  ASSIGN_OR_RETURN(answers.values, ObserveValues(model.bundle().graph, BuiltInOperators(),
                                                 model.executable()->kernel_set(),
                                                 TakeRows(inputs, num_layer_rows)));
  return answers;
}

std::string Description(const std::vector<InputSpecification>& inputs) {
  return absl::StrJoin(inputs, ", ", [](std::string* out, const InputSpecification& input) {
    absl::StrAppend(out, "\"", input.name, "\" ", DataTypeName(input.data_type),
                    ToString(input.dims));
  });
}

absl::Status CheckSameInputs(const LocalModel& first, const LocalModel& other) {
  const std::vector<InputSpecification> wants = first.inputs();
  const std::vector<InputSpecification> got = other.inputs();
  const bool are_same =
      std::ranges::equal(wants, got, [](const InputSpecification& a, const InputSpecification& b) {
        return a.name == b.name && a.data_type == b.data_type && a.dims == b.dims;
      });
  if (are_same) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "takes ", Description(got), ", wants the inputs of the first bundle: ", Description(wants)));
}

// Compiled for one row at a time: that is what is measured.
absl::StatusOr<std::vector<std::unique_ptr<LocalModel>>> LoadModels(const CompareOptions& options) {
  std::vector<std::unique_ptr<LocalModel>> models;
  for (const std::string& bundle : options.bundles) {
    ASSIGN_OR_RETURN(auto model, LocalModel::Load(bundle, options.kernel_set, {.max_rows = 1}));
    models.push_back(std::move(model));
    const absl::Status status = CheckSameInputs(*models.front(), *models.back());
    if (!status.ok()) return Annotate(status, bundle);
  }
  return models;
}

absl::StatusOr<std::vector<ModelTimes>> Measure(
    const std::vector<std::unique_ptr<LocalModel>>& models, const std::vector<Tensor>& inputs,
    std::chrono::milliseconds duration) {
  std::vector<std::shared_ptr<const Executable>> executables;
  for (const auto& model : models) executables.push_back(model->executable());
  return MeasureModels(executables, TakeRows(inputs, 1), duration);
}

// Fills in what is compared with the first bundle.
absl::Status CompareAnswers(const Answers& first, const ModelTimes& first_times,
                            const Answers& other, const ModelTimes& other_times,
                            BundleComparison& comparison) {
  if (other.output_dims != first.output_dims) {
    return absl::InvalidArgumentError(absl::StrCat("answers ", ToString(other.output_dims),
                                                   ", the first bundle answers ",
                                                   ToString(first.output_dims)));
  }
  const std::int64_t num_rows = first.output_dims[0];
  const std::size_t width = first.output.size() / static_cast<std::size_t>(num_rows);
  comparison.difference = Compare(first.output, other.output, num_rows);
  comparison.agreement = width == 0 ? 1.0 : Top1Agreement(first.output, other.output, width);
  comparison.layers =
      CompareLayers(first.values, first_times.steps, other.values, other_times.steps);
  return absl::OkStatus();
}

std::string TimeText(const std::optional<double>& us) {
  return us ? absl::StrFormat("%.1f", *us) : "-";
}

std::vector<std::string> DifferenceCells(const std::optional<Difference>& difference) {
  if (!difference) return {"-", "-", "-"};
  return {absl::StrFormat("%.6f", difference->cosine), absl::StrFormat("%.1f", difference->sqnr_db),
          absl::StrFormat("%.3g", difference->max_abs_difference)};
}

std::string OutputTable(const ComparisonResult& result) {
  Table table(
      {"bundle", "precision", "agreement", "cosine", "SQNR dB", "max |difference|", "us a row"});
  for (const BundleComparison& bundle : result.bundles) {
    std::vector<std::string> cells = {
        bundle.bundle, bundle.precision,
        bundle.agreement ? absl::StrFormat("%.2f %%", *bundle.agreement * 100) : "-"};
    for (std::string& cell : DifferenceCells(bundle.difference)) cells.push_back(std::move(cell));
    cells.push_back(TimeText(bundle.us_per_row));
    table.AddRow(std::move(cells));
  }
  return table.ToString();
}

std::string LayerTable(const BundleComparison& first, const BundleComparison& other) {
  Table table({"layer", "value", "operator", "cosine", "SQNR dB", "max |difference|",
               absl::StrCat("us ", first.precision), absl::StrCat("us ", other.precision)});
  for (const LayerComparison& layer : other.layers) {
    std::vector<std::string> cells = {layer.layer, layer.value.empty() ? "-" : layer.value,
                                      layer.op};
    for (std::string& cell : DifferenceCells(layer.difference)) cells.push_back(std::move(cell));
    cells.push_back(TimeText(layer.first_us));
    cells.push_back(TimeText(layer.us));
    table.AddRow(std::move(cells));
  }
  return table.ToString();
}

nlohmann::ordered_json OrNull(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

void AddDifference(const std::optional<Difference>& difference, nlohmann::ordered_json& json) {
  json["cosine"] = difference ? OrNull(difference->cosine) : nullptr;
  json["sqnr_db"] = difference ? OrNull(difference->sqnr_db) : nullptr;
  json["max_abs_difference"] = difference ? OrNull(difference->max_abs_difference) : nullptr;
}

nlohmann::ordered_json LayerJson(const LayerComparison& layer) {
  nlohmann::ordered_json json = {
      {"layer", layer.layer}, {"value", layer.value}, {"operator", layer.op}};
  AddDifference(layer.difference, json);
  json["first_us"] = OrNull(layer.first_us);
  json["us"] = OrNull(layer.us);
  return json;
}

}  // namespace

absl::StatusOr<ComparisonResult> CompareBundles(const CompareOptions& options) {
  if (options.bundles.size() < 2 || options.num_layer_rows < 1) {
    return absl::InvalidArgumentError("wants two bundles or more, and 1 row of layers or more");
  }
  ASSIGN_OR_RETURN(const auto models, LoadModels(options));
  const absl::StatusOr<std::vector<Tensor>> inputs =
      ReadInputFiles(options.inputs, models.front()->inputs());
  if (!inputs.ok()) return Annotate(inputs.status(), options.bundles.front());
  ASSIGN_OR_RETURN(const auto times, Measure(models, *inputs, options.duration));
  ComparisonResult result;
  result.kernel_set = std::string(models.front()->executable()->kernel_set().name);
  result.num_rows = NumRows(*inputs);
  result.num_layer_rows = std::min(result.num_rows, options.num_layer_rows);
  Answers first;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const std::string& bundle = options.bundles[i];
    absl::StatusOr<Answers> answers = Answer(*models[i], *inputs, result.num_layer_rows);
    if (!answers.ok()) return Annotate(answers.status(), bundle);
    BundleComparison comparison{.bundle = bundle,
                                .precision = models[i]->bundle().precision,
                                .us_per_row = times[i].median_us};
    if (i == 0) {
      first = *std::move(answers);
    } else {
      const absl::Status status = CompareAnswers(first, times[0], *answers, times[i], comparison);
      if (!status.ok()) return Annotate(status, bundle);
    }
    result.bundles.push_back(std::move(comparison));
  }
  return result;
}

std::string ComparisonText(const ComparisonResult& result) {
  std::string text = absl::StrCat("kernel set ", result.kernel_set, ", ", result.num_rows,
                                  " rows\n", OutputTable(result));
  for (std::size_t i = 1; i < result.bundles.size(); ++i) {
    absl::StrAppend(&text, "\n", result.bundles[i].bundle, " layer by layer, against ",
                    result.bundles[0].bundle, ", on ", result.num_layer_rows, " rows:\n",
                    LayerTable(result.bundles[0], result.bundles[i]));
  }
  return text;
}

nlohmann::ordered_json ComparisonJson(const ComparisonResult& result) {
  nlohmann::ordered_json json = {{"kernel_set", result.kernel_set},
                                 {"rows", result.num_rows},
                                 {"layer_rows", result.num_layer_rows},
                                 {"bundles", nlohmann::ordered_json::array()}};
  for (const BundleComparison& bundle : result.bundles) {
    nlohmann::ordered_json entry = {{"bundle", bundle.bundle},
                                    {"precision", bundle.precision},
                                    {"us_per_row", bundle.us_per_row},
                                    {"agreement", OrNull(bundle.agreement)}};
    AddDifference(bundle.difference, entry);
    entry["layers"] = nlohmann::ordered_json::array();
    for (const LayerComparison& layer : bundle.layers) entry["layers"].push_back(LayerJson(layer));
    json["bundles"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace octet::cli
