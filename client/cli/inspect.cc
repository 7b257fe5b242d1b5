// SPDX-License-Identifier: Apache-2.0
// `octet inspect`: what a bundle holds, and which kernels run it here.

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

#include "client/cli/attention_precision.h"
#include "client/cli/commands.h"
#include "client/cli/graph_report.h"
#include "client/cli/kernel_choices.h"
#include "client/cli/local_model.h"
#include "client/cli/table.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/runtime/cost_curve.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string bundle;
  std::string kernel_set;
  std::string choices;
  AttentionPrecision attention_precision = AttentionPrecision::kFloat32;
  bool graph = false;
  bool batches = false;
  bool json = false;
};

Json ToJson(const std::vector<TensorSignature>& signatures) {
  Json json = Json::array();
  for (const TensorSignature& signature : signatures) {
    Dims shape;
    for (const Dim& dim : signature.type.shape) {
      shape.push_back(dim.is_constant() ? dim.value() : -1);
    }
    Json entry = {{"name", signature.name},
                  {"datatype", std::string(DataTypeName(signature.type.data_type))},
                  {"shape", shape}};
    if (signature.type.quantization) {
      entry["scale"] = signature.type.quantization->scale.value;
      entry["zero_point"] = signature.type.quantization->zero_point.value;
    }
    json.push_back(std::move(entry));
  }
  return json;
}

Json ToJson(const Layer& layer) {
  Json variables = Json::array();
  for (std::size_t i = 0; i < layer.variables.size(); ++i) {
    const LayerVariable& variable = layer.variables[i];
    Json entry = {{"index", i},
                  {"name", variable.name},
                  {"datatype", std::string(DataTypeName(variable.tensor.data_type()))},
                  {"shape", variable.tensor.dims()},
                  {"bytes", variable.tensor.bytes().size()}};
    if (!variable.scale_convention.empty()) entry["scale_convention"] = variable.scale_convention;
    variables.push_back(std::move(entry));
  }
  Json json = {{"path", layer.path},
               {"class", layer.layer_class},
               {"mode", layer.mode},
               {"dtype_policy", layer.dtype_policy},
               {"variables", std::move(variables)}};
  if (layer.packing) {
    json["packing"] = {{"bits", layer.packing->bits},
                       {"axis", layer.packing->axis},
                       {"original_length", layer.packing->original_length},
                       {"nibble", layer.packing->low_nibble_first ? "low_first" : "high_first"},
                       {"signed", layer.packing->is_signed}};
  }
  return json;
}

// "passed", "failed" or "absent", and why.
Json SelfTestJson(const LocalModel& model, const absl::Status& outcome) {
  const std::optional<SelfTest>& test = model.bundle().self_test;
  Json json;
  json["outcome"] = !test.has_value() ? "absent" : outcome.ok() ? "passed" : "failed";
  if (!outcome.ok()) json["message"] = std::string(outcome.message());
  return json;
}

Json ToJson(const LocalModel& model, const GraphReport& report, const absl::Status& self_test) {
  const Bundle& bundle = model.bundle();
  const Executable& executable = *model.executable();
  Json layers = Json::array();
  for (const Layer& layer : bundle.layers) layers.push_back(ToJson(layer));
  Json steps = Json::array();
  for (const StepDescription& step : executable.steps()) {
    Json entry = {{"node", step.node},
                  {"operator", step.op},
                  {"kernel", step.kernel},
                  {"packed_bytes", step.packed_byte_size}};
    if (step.implementation) entry["implementation"] = ImplementationJson(*step.implementation);
    if (const auto found = report.products.find(step.node);
        found != report.products.end() && found->second.count > 0) {
      entry["multiply_accumulates"] = found->second.count;
      entry["in_integers"] = found->second.are_integer;
    }
    steps.push_back(std::move(entry));
  }
  return {{"digest", bundle.digest},
          {"precision", bundle.precision},
          {"source", {{"framework", bundle.source.framework}, {"version", bundle.source.version}}},
          {"inputs", ToJson(executable.inputs())},
          {"outputs", ToJson(executable.outputs())},
          {"self_test", SelfTestJson(model, self_test)},
          {"layers", std::move(layers)},
          {"kernel_set", std::string(executable.kernel_set().name)},
          {"multiply_accumulates", ShareJson(report)},
          {"steps", std::move(steps)}};
}

void Print(const LocalModel& model, const GraphReport& report, const absl::Status& self_test) {
  const Bundle& bundle = model.bundle();
  const Executable& executable = *model.executable();
  std::cout << "precision " << bundle.precision << ", from " << bundle.source.framework << " "
            << bundle.source.version << ", digest " << bundle.digest << "\n";
  for (const auto* const signatures : {&executable.inputs(), &executable.outputs()}) {
    for (const TensorSignature& signature : *signatures) {
      std::cout << (signatures == &executable.inputs() ? "input  " : "output ") << signature.name
                << " " << DataTypeName(signature.type.data_type)
                << ToString(signature.type.shape, executable.symbol_names()) << "\n";
    }
  }
  std::cout << "\n";
  Table layers({"layer", "class", "mode", "variables in serialized order"});
  for (const Layer& layer : bundle.layers) {
    if (layer.variables.empty()) continue;
    layers.AddRow(
        {layer.path, layer.layer_class, layer.mode,
         absl::StrJoin(layer.variables, " ", [](std::string* out, const LayerVariable& variable) {
           absl::StrAppend(out, variable.name, ":", DataTypeName(variable.tensor.data_type()),
                           ToString(variable.tensor.dims()));
         })});
  }
  std::cout << layers.ToString() << "\n";
  Table steps(
      {"step", "operator", "multiply-accumulates", "kernel", "packed bytes", "implementation"});
  for (const StepDescription& step : executable.steps()) {
    steps.AddRow({step.node, step.op, ProductsText(report, step.node), step.kernel,
                  absl::StrCat(step.packed_byte_size),
                  step.implementation ? ImplementationText(*step.implementation) : ""});
  }
  std::cout << "kernel set " << executable.kernel_set().name << "\n" << steps.ToString();
  if (const std::string share = ShareText(report); !share.empty()) {
    std::cout << "\n" << share << "\n";
  }
  if (!self_test.ok()) {
    std::cout << "\nself-test FAILED on these kernels, a server refuses the bundle: "
              << self_test.message() << "\n";
  } else {
    std::cout << "\nself-test "
              << (bundle.self_test.has_value() ? "passed on these kernels" : "absent") << "\n";
  }
}

// What batches cost here, and up to where larger ones pay.
struct BatchCosts {
  CostCurve curve;  // empty: the model takes no batches
  [[nodiscard]] std::int64_t paying_rows() const { return PayingRows(curve); }
};

absl::StatusOr<BatchCosts> MeasureBatches(const LocalModel& model) {
  BatchCosts costs;
  if (!model.executable()->takes_batches()) return costs;
  ASSIGN_OR_RETURN(costs.curve, MeasureCostCurve(model.executable()));
  return costs;
}

double Microseconds(const CostPoint& point) {
  return std::chrono::duration<double, std::micro>(point.time).count();
}

Json ToJson(const BatchCosts& costs) {
  Json curve = Json::array();
  for (const CostPoint& point : costs.curve) {
    curve.push_back({{"rows", point.rows}, {"us", Microseconds(point)}});
  }
  return {{"paying_rows", costs.paying_rows()}, {"curve", std::move(curve)}};
}

void Print(const BatchCosts& costs) {
  if (costs.curve.empty()) {
    std::cout << "\nbatches: none, its inputs and outputs do not all have rows first\n";
    return;
  }
  Table table({"rows", "us a batch", "us a row"});
  for (const CostPoint& point : costs.curve) {
    const double us = Microseconds(point);
    table.AddRow({absl::StrCat(point.rows), absl::StrFormat("%.1f", us),
                  absl::StrFormat("%.2f", us / static_cast<double>(point.rows))});
  }
  std::cout << "\n"
            << table.ToString() << "batches pay up to " << costs.paying_rows()
            << " rows on this CPU: a server forms none that are larger\n";
}

absl::Status Inspect(const InspectOptions& options) {
  ASSIGN_OR_RETURN(const auto model,
                   LocalModel::LoadUntested(options.bundle, options.kernel_set,
                                            {.choices = ReadChoices(options.choices),
                                             .attention_precision = options.attention_precision}));
  // A bundle that fails is shown as well: what is wrong with it may be seen.
  absl::Status self_test = model->RunSelfTest();
  ASSIGN_OR_RETURN(const GraphReport report,
                   MakeGraphReport(model->bundle().graph, model->operators()));
  std::optional<BatchCosts> batches;
  if (options.batches) {
    ASSIGN_OR_RETURN(batches, MeasureBatches(*model));
  }
  if (options.json) {
    Json json = ToJson(*model, report, self_test);
    if (batches) json["batches"] = ToJson(*batches);
    if (options.graph) json["graph"] = GraphsJson(report);
    std::cout << json.dump(2) << "\n";
  } else {
    Print(*model, report, self_test);
    if (batches) Print(*batches);
    if (options.graph) std::cout << "\n" << GraphsText(report);
  }
  return self_test;
}

}  // namespace

void AddInspect(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "inspect",
      "Show a bundle's layers, their variable order, the kernels chosen for this CPU, how much of\n"
      "what it multiplies is integer, and whether its self-test passes (status 1 if not).\n"
      "Example: octet inspect models/digits/1");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("bundle", options->bundle, "A bundle: a folder or an .octet file")
      ->required();
  command->add_option("--kernel-set", options->kernel_set, "reference, avx2, avx512vnni or amx")
      ->envname("OCTET_KERNEL_SET");
  AddKernelChoices(*command, options->choices);
  AddAttentionPrecision(*command, options->attention_precision);
  command->add_flag("--graph", options->graph,
                    "The nodes too, as the bundle has them and as they are run");
  command->add_flag("--batches", options->batches,
                    "Measure what batches cost here, for half a second, and up to how many rows\n"
                    "larger ones pay");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &result] { result = Inspect(*options); });
}

}  // namespace octet::cli
