// SPDX-License-Identifier: Apache-2.0
#include "client/cli/bundle_comparison.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/cli/engine_bench.h"
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

// What is known of one bundle.
struct Examined {
  std::vector<InputSpecification> inputs;
  std::string precision;
  std::string kernel_set;
  Dims output_dims = {};
  std::vector<float> output = {};
  std::vector<ObservedValue> values = {};
  std::vector<StepTime> steps = {};
  double us_per_row = 0;
};

// Times are of one row, as EngineBench's: compiled for one.
absl::StatusOr<std::vector<StepTime>> MeasureOneRow(const LocalModel& model,
                                                    const OperatorRegistry& operators,
                                                    const std::vector<Tensor>& inputs,
                                                    std::chrono::milliseconds duration) {
  ASSIGN_OR_RETURN(const auto executable,
                   Executable::Compile(model.bundle().graph, operators,
                                       model.executable()->kernel_set(), {.max_rows = 1}));
  return MeasureSteps(*executable, TakeRows(inputs, 1), duration);
}

absl::StatusOr<Examined> Examine(LocalModel& model, const std::string& bundle,
                                 const std::vector<Tensor>& inputs, std::int64_t num_layer_rows,
                                 const CompareOptions& options) {
  const OperatorRegistry operators = BuiltInOperators();
  Examined examined{.inputs = model.inputs(),
                    .precision = model.bundle().precision,
                    .kernel_set = std::string(model.executable()->kernel_set().name)};
  ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, model.Run(inputs));
  const Tensor& output = outputs.front();
  if (output.data_type() != DataType::kFloat32) {
    return absl::UnimplementedError(
        absl::StrCat("the first output is ", DataTypeName(output.data_type()), ", wants FP32"));
  }
  examined.output_dims = output.dims();
  examined.output.assign(output.as<float>().begin(), output.as<float>().end());
  ASSIGN_OR_RETURN(examined.values,
                   ObserveValues(model.bundle().graph, operators, model.executable()->kernel_set(),
                                 TakeRows(inputs, num_layer_rows)));
  ASSIGN_OR_RETURN(examined.steps, MeasureOneRow(model, operators, inputs, options.duration));
  ASSIGN_OR_RETURN(const EngineResult time, BenchEngine({.bundle = bundle,
                                                         .kernel_set = options.kernel_set,
                                                         .inputs = options.inputs,
                                                         .duration = options.duration}));
  examined.us_per_row = time.median_us;
  return examined;
}

std::string Description(const std::vector<InputSpecification>& inputs) {
  return absl::StrJoin(inputs, ", ", [](std::string* out, const InputSpecification& input) {
    absl::StrAppend(out, "\"", input.name, "\" ", DataTypeName(input.data_type),
                    ToString(input.dims));
  });
}

absl::Status CheckSameInputs(const std::vector<InputSpecification>& first,
                             const std::vector<InputSpecification>& other) {
  const bool are_same = std::ranges::equal(
      first, other, [](const InputSpecification& a, const InputSpecification& b) {
        return a.name == b.name && a.data_type == b.data_type && a.dims == b.dims;
      });
  if (are_same) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("takes ", Description(other),
                   ", wants the inputs of the first bundle: ", Description(first)));
}

absl::StatusOr<std::vector<Tensor>> InputRows(const LocalModel& model,
                                              const CompareOptions& options) {
  if (!options.inputs.empty()) return ReadInputFiles(options.inputs, model.inputs());
  const auto& self_test = model.bundle().self_test;
  if (!self_test) {
    return absl::InvalidArgumentError("has no self-test rows: give rows with --input");
  }
  return TakeRows(self_test->inputs, self_test->inputs.front().dims()[0]);
}

absl::StatusOr<BundleComparison> CompareWith(const Examined& first, const Examined& other) {
  if (other.output_dims != first.output_dims) {
    return absl::InvalidArgumentError(absl::StrCat("answers ", ToString(other.output_dims),
                                                   ", the first bundle answers ",
                                                   ToString(first.output_dims)));
  }
  const std::int64_t num_rows = first.output_dims[0];
  const std::size_t width = first.output.size() / static_cast<std::size_t>(num_rows);
  return BundleComparison{
      .difference = Compare(first.output, other.output, num_rows),
      .agreement = width == 0 ? 1.0 : Top1Agreement(first.output, other.output, width),
      .layers = CompareLayers(first.values, first.steps, other.values, other.steps)};
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
  ComparisonResult result;
  std::vector<Tensor> inputs;
  std::optional<Examined> first;
  for (const std::string& bundle : options.bundles) {
    ASSIGN_OR_RETURN(const auto model, LocalModel::Load(bundle, options.kernel_set));
    if (!first) {
      absl::StatusOr<std::vector<Tensor>> rows = InputRows(*model, options);
      if (!rows.ok()) return Annotate(rows.status(), bundle);
      inputs = *std::move(rows);
      result.num_rows = inputs.front().dims()[0];
      result.num_layer_rows = std::min(result.num_rows, options.num_layer_rows);
    } else if (absl::Status same = CheckSameInputs(first->inputs, model->inputs()); !same.ok()) {
      return Annotate(same, bundle);
    }
    absl::StatusOr<Examined> examined =
        Examine(*model, bundle, inputs, result.num_layer_rows, options);
    if (!examined.ok()) return Annotate(examined.status(), bundle);
    BundleComparison comparison;
    if (first) {
      absl::StatusOr<BundleComparison> compared = CompareWith(*first, *examined);
      if (!compared.ok()) return Annotate(compared.status(), bundle);
      comparison = *std::move(compared);
    }
    comparison.bundle = bundle;
    comparison.precision = examined->precision;
    comparison.us_per_row = examined->us_per_row;
    result.bundles.push_back(std::move(comparison));
    result.kernel_set = examined->kernel_set;
    if (!first) first = *std::move(examined);
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
