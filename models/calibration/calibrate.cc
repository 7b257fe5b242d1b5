// SPDX-License-Identifier: Apache-2.0
#include "models/calibration/calibrate.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/calibration/calibrators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet {

namespace {

// Rows at a time: bounds the memory for a graph whose every value is an output.
constexpr std::int64_t kBatchRows = 32;

absl::Status Annotate(const absl::Status& status, absl::string_view value) {
  return absl::Status(status.code(), absl::StrCat("value \"", value, "\": ", status.message()));
}

// Those of `watched` that nodes compute. Returns INVALID_ARGUMENT for one that is not float32.
absl::StatusOr<std::vector<ValueId>> ComputedValues(const Graph& graph,
                                                    std::span<const ValueId> watched) {
  std::vector<ValueId> ids;
  std::vector<bool> is_known(graph.values.size(), false);  // an input, or in `ids`
  for (const ValueId id : graph.inputs) is_known[static_cast<std::size_t>(id)] = true;
  for (const ValueId id : watched) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    if (value.type.data_type != DataType::kFloat32 || value.constant.has_value()) {
      return Annotate(absl::InvalidArgumentError("only float32 activations can be calibrated"),
                      value.name);
    }
    if (is_known[static_cast<std::size_t>(id)]) continue;
    is_known[static_cast<std::size_t>(id)] = true;
    ids.push_back(id);
  }
  // An executable has an output in any case.
  if (ids.empty()) ids = graph.outputs;
  return ids;
}

// `count` rows of `tensor` from `first` on; `dims` holds the view's dimensions.
TensorView Rows(const Tensor& tensor, std::int64_t first, std::int64_t count, Dims& dims) {
  dims = tensor.dims();
  const std::int64_t rows = dims[0];
  dims[0] = count;
  const std::size_t row_size = tensor.bytes().size() / static_cast<std::size_t>(rows);
  return {tensor.data_type(), dims,
          tensor.bytes().data() + static_cast<std::size_t>(first) * row_size};
}

absl::StatusOr<std::int64_t> NumRows(const Graph& graph, std::span<const Tensor> samples) {
  if (samples.size() != graph.inputs.size() || samples.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "got ", samples.size(), " tensors to calibrate on, wants ", graph.inputs.size()));
  }
  const std::int64_t rows = samples[0].dims().empty() ? 0 : samples[0].dims()[0];
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Dims& dims = samples[i].dims();
    if (dims.empty() || dims[0] != rows || rows < 1) {
      return Annotate(absl::InvalidArgumentError(absl::StrCat(
                          "got samples of shape ", ToString(dims),
                          ", wants as many rows as the first input has, and at least 1")),
                      graph.values[static_cast<std::size_t>(graph.inputs[i])].name);
    }
  }
  return rows;
}

// Watches one session's outputs.
class Watcher {
 public:
  Watcher(const Graph& graph, const CalibratorEntry& entry) : graph_(graph), entry_(entry) {}

  absl::Status Observe(ValueId id, const TensorView& view) {
    if (view.data_type != DataType::kFloat32) return absl::OkStatus();
    std::unique_ptr<Calibrator>& calibrator = calibrators_[id];
    if (calibrator == nullptr) calibrator = entry_.make();
    const auto count = static_cast<std::size_t>(NumElements(view.dims));
    const absl::Status status = calibrator->Observe({view.as<float>(), count});
    return status.ok() ? status : Annotate(status, NameOf(id));
  }

  [[nodiscard]] absl::StatusOr<CalibrationTable> MakeTable() const {
    CalibrationTable table;
    for (const auto& [id, calibrator] : calibrators_) {
      const absl::StatusOr<Range> range = calibrator->ComputeRange();
      if (!range.ok()) return Annotate(range.status(), NameOf(id));
      table[NameOf(id)] = *range;
    }
    return table;
  }

 private:
  [[nodiscard]] const std::string& NameOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].name;
  }

  const Graph& graph_;
  const CalibratorEntry& entry_;
  std::map<ValueId, std::unique_ptr<Calibrator>> calibrators_;
};

}  // namespace

absl::StatusOr<CalibrationTable> Calibrate(const Graph& graph, const OperatorRegistry& operators,
                                           const kernels::KernelSet& kernels,
                                           std::span<const ValueId> watched,
                                           std::span<const Tensor> samples,
                                           absl::string_view calibrator) {
  ASSIGN_OR_RETURN(const CalibratorEntry* const entry, FindCalibrator(calibrator));
  ASSIGN_OR_RETURN(const std::int64_t num_rows, NumRows(graph, samples));
  Graph observed = graph;
  ASSIGN_OR_RETURN(observed.outputs, ComputedValues(graph, watched));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Executable> executable,
                   Executable::Compile(observed, operators, kernels, {.max_rows = kBatchRows}));
  Arena arena;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Create(executable, arena));
  Watcher watcher(graph, *entry);
  std::vector<Dims> input_dims(samples.size());
  std::vector<Dims> output_dims;
  for (std::int64_t first = 0; first < num_rows; first += kBatchRows) {
    const std::int64_t count = std::min(kBatchRows, num_rows - first);
    std::vector<TensorView> inputs;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      inputs.push_back(Rows(samples[i], first, count, input_dims[i]));
    }
    RETURN_IF_ERROR(session->OutputDims(inputs, output_dims));
    std::vector<Tensor> outputs;
    std::vector<MutableTensorView> views;
    for (std::size_t i = 0; i < output_dims.size(); ++i) {
      outputs.emplace_back(executable->outputs()[i].type.data_type, output_dims[i]);
    }
    for (Tensor& output : outputs) views.push_back(output.mutable_view());
    RETURN_IF_ERROR(session->Run(inputs, views));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      RETURN_IF_ERROR(watcher.Observe(graph.inputs[i], inputs[i]));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      RETURN_IF_ERROR(watcher.Observe(observed.outputs[i], outputs[i].view()));
    }
  }
  return watcher.MakeTable();
}

}  // namespace octet
