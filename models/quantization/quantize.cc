// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/quantize.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/calibration/calibrate.h"
#include "models/graph/passes/fold_batch_normalization.h"
#include "models/graph/passes/fuse_activation.h"
#include "models/quantization/graph_edit.h"
#include "models/quantization/layer_records.h"
#include "models/quantization/self_test_vectors.h"
#include "models/quantization/split_activations.h"
#include "models/quantization/static_graph.h"
#include "models/quantization/weight_pass.h"

namespace octet {

namespace {

constexpr std::int64_t kMinTestRows = 4;
constexpr std::int64_t kMaxTestRows = 8;

// One line a mode.
constexpr std::array kModes = {
    QuantizationModeEntry{"int8-dynamic", "int8 weights; activations quantized per row, no data",
                          QuantizationMode::kInt8Dynamic},
    QuantizationModeEntry{"int8-static", "int8 between layers; needs calibration data",
                          QuantizationMode::kInt8Static},
    QuantizationModeEntry{"int8-weight-only", "int8 weights, float arithmetic",
                          QuantizationMode::kInt8WeightOnly},
    QuantizationModeEntry{"int4", "int4 weights in groups of 128, float arithmetic",
                          QuantizationMode::kInt4},
    QuantizationModeEntry{"int4-dynamic", "int4 weights; activations as int8-dynamic",
                          QuantizationMode::kInt4Dynamic},
};

absl::string_view NameOf(QuantizationMode mode) {
  for (const QuantizationModeEntry& entry : kModes) {
    if (entry.mode == mode) return entry.name;
  }
  return "";
}

absl::Status CheckIsFloat(const Bundle& bundle) {
  for (const Value& value : bundle.graph.values) {
    const DataType type = value.type.data_type;
    const bool is_integer_weight =
        value.constant.has_value() && (type == DataType::kInt4 || type == DataType::kUint4 ||
                                       type == DataType::kInt8 || type == DataType::kUint8);
    if (is_integer_weight || value.type.quantization.has_value()) {
      return absl::FailedPreconditionError(absl::StrCat("the bundle is quantized already (",
                                                        bundle.precision, ", value \"", value.name,
                                                        "\"); wants a float bundle"));
    }
  }
  return absl::OkStatus();
}

// Copies of the first rows of `tensors`, at most kMaxTestRows.
std::vector<Tensor> FirstRows(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    Dims dims = tensor.dims();
    if (!dims.empty()) dims[0] = std::min(dims[0], kMaxTestRows);
    Tensor rows(tensor.data_type(), dims);
    std::copy_n(tensor.bytes().begin(), rows.bytes().size(), rows.bytes().begin());
    result.push_back(std::move(rows));
  }
  return result;
}

absl::StatusOr<std::vector<Tensor>> SelfTestInputs(const Bundle& bundle,
                                                   const QuantizeOptions& options) {
  const bool has_data =
      std::all_of(options.calibration.begin(), options.calibration.end(), [](const Tensor& tensor) {
        return !tensor.dims().empty() && tensor.dims()[0] >= kMinTestRows;
      });
  if (!options.calibration.empty() && has_data) return FirstRows(options.calibration);
  if (bundle.self_test.has_value()) return FirstRows(bundle.self_test->inputs);
  return absl::FailedPreconditionError(
      absl::StrCat("no rows to test with: wants calibration data of at least ", kMinTestRows,
                   " rows, or a self-test in the float bundle"));
}

absl::StatusOr<Graph> Static(Graph graph, const OperatorRegistry& operators,
                             const QuantizeOptions& options) {
  if (options.calibration.empty()) {
    return absl::FailedPreconditionError("int8-static wants calibration data");
  }
  FuseClip(graph);
  SplitOtherActivations(graph);
  const kernels::KernelSet& kernels =
      options.kernels == nullptr ? *kernels::BestKernelSet() : *options.kernels;
  ASSIGN_OR_RETURN(const CalibrationTable ranges,
                   Calibrate(graph, operators, kernels, ValuesToCalibrate(graph),
                             options.calibration, options.calibrator));
  ASSIGN_OR_RETURN(Graph quantized, MakeStaticGraph(graph, ranges));
  RETURN_IF_ERROR(QuantizeEmbeddings(quantized, 8));
  return quantized;
}

}  // namespace

std::span<const QuantizationModeEntry> QuantizationModes() { return kModes; }

absl::StatusOr<QuantizationMode> ParseQuantizationMode(absl::string_view name) {
  for (const QuantizationModeEntry& entry : kModes) {
    if (entry.name == name) return entry.mode;
  }
  return absl::UnimplementedError(absl::StrCat(
      "unknown mode \"", name, "\"; known: ",
      absl::StrJoin(kModes, ", ", [](std::string* out, const QuantizationModeEntry& entry) {
        absl::StrAppend(out, entry.name);
      })));
}

absl::StatusOr<Bundle> Quantize(const Bundle& bundle, const OperatorRegistry& operators,
                                const QuantizeOptions& options) {
  RETURN_IF_ERROR(CheckIsFloat(bundle));
  ASSIGN_OR_RETURN(std::vector<Tensor> test_inputs, SelfTestInputs(bundle, options));
  Bundle result;
  result.graph = bundle.graph;
  FoldBatchNormalization(result.graph);
  if (options.mode == QuantizationMode::kInt8Static) {
    ASSIGN_OR_RETURN(result.graph, Static(std::move(result.graph), operators, options));
  } else {
    RETURN_IF_ERROR(QuantizeWeights(result.graph, options.mode));
  }
  RemoveUnusedValues(result.graph);
  result.layers = QuantizedLayers(bundle.layers, result.graph);
  ASSIGN_OR_RETURN(result.self_test, MakeSelfTest(result.graph, operators, std::move(test_inputs)));
  result.source = {
      .framework = "octet quantize",
      .version = absl::StrCat("from ", bundle.source.framework, " ", bundle.source.version),
      .file_sha256 = bundle.source.file_sha256};
  result.precision = std::string(NameOf(options.mode));
  result.class_labels = bundle.class_labels;
  return result;
}

}  // namespace octet
