// SPDX-License-Identifier: Apache-2.0

#include "server/tuning/tuner.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "spdlog/spdlog.h"

#include "models/base/status_macros.h"
#include "models/bundle/bundle.h"
#include "models/graph/passes/passes.h"
#include "models/graph/verify.h"
#include "models/runtime/cost_curve.h"
#include "models/runtime/kernel_choices_file.h"
#include "server/repository/batch_limit.h"
#include "server/scheduling/batching_policy.h"

namespace octet {
namespace {

// Larger tensors of a layer are not made for measuring.
constexpr std::size_t kMaxTensorByteSize = std::size_t{64} << 20;
// After so long it is written down what was measured, and the metrics show it.
constexpr std::chrono::nanoseconds kLongestStretch = std::chrono::seconds(2);
// More than the caches that one core has for itself.
constexpr std::size_t kMaxOtherByteSize = std::size_t{4} << 20;

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

Tuner::Tuner(Options options, const std::shared_ptr<const KernelChoices>& choices, Served served,
             TuningEnvironment& environment)
    : options_(std::move(options)),
      served_(served),
      environment_(environment),
      idle_(options_.quiet) {
  if (choices) choices_ = *choices;
}

void Tuner::Run() {
  do {
    TuneServed();
  } while (environment_.WaitForChange());
}

void Tuner::TuneServed() {
  time_before_ = figures_.time;
  pending_.clear();
  // Names, not handles: what is exchanged is to be freed.
  std::vector<std::pair<std::string, std::string>> versions;
  for (const ModelHandle& model : served_.repository.ReadyVersions()) {
    versions.emplace_back(model->name, model->version_string);
    for (UnmeasuredLayer& layer : UnmeasuredLayers(*model->executable, choices_)) {
      pending_.insert(std::move(layer.layer));
    }
  }
  Publish();
  if (!pending_.empty()) {
    spdlog::info("tuning: {} layers to measure when idle, {:.0f} s at most", pending_.size(),
                 Seconds(options_.budget));
  }
  for (const auto& [name, version] : versions) {
    if (environment_.stopped()) return;
    absl::StatusOr<ModelHandle> model = served_.repository.Find(name, version);
    if (model.ok()) TuneVersion(*std::move(model));
    // It may be another one by now.
    model = served_.repository.Find(name, version);
    if (model.ok() && !environment_.stopped()) MeasureBatches(*model);
  }
  if (!HasTime() && !pending_.empty()) {
    spdlog::info("tuning: its {:.0f} s are used up, {} layers are left to the fixed rules",
                 Seconds(options_.budget), pending_.size());
  }
}

void Tuner::TuneVersion(ModelHandle model) {
  Work work;
  work.layers = UnmeasuredLayers(*model->executable, choices_);
  work.model = std::move(model);
  MeasureLayers(work);
  const std::size_t changed = CountChangedSteps(*work.model->executable, choices_);
  const std::string name = work.model->name;
  const std::int64_t version = work.model->version;
  absl::Status status = work.status;
  // What was unloaded or replaced meanwhile is let go of.
  if (!IsServed(work.model)) status = absl::CancelledError("it does not serve any more");
  if (status.ok() && changed > 0) status = Exchange(work);
  if (absl::IsCancelled(status)) return;
  if (!status.ok()) {
    spdlog::warn("tuning: {} version {} is left as it is: {}", name, version,
                 std::string(status.message()));
  } else if (!work.layers.empty() || changed > 0) {
    spdlog::info("tuning: {} version {}: {} of {} layers measured in {:.1f} s, {} steps changed",
                 name, version, work.measured, work.layers.size(), Seconds(work.time), changed);
  }
}

void Tuner::MeasureBatches(const ModelHandle& model) {
  if (!model->executable->takes_batches()) return;
  const CostCurveKey key = CostKeyOf(*model->executable, model->digest);
  std::optional<CostCurve> known = served_.costs.Find(key);
  absl::StatusOr<CostCurve> curve = absl::CancelledError("not measured yet");
  while (!known && absl::IsCancelled(curve.status())) {
    if (!WaitUntilIdle(model)) return;
    const RequestCounts counts = idle_.counts();
    MeasureCurveOptions options;
    options.budget = options_.batches_budget;
    options.stops = [this, counts] {
      return environment_.stopped() || environment_.requests() != counts;
    };
    options.now = [this] { return environment_.now(); };
    environment_.RunAside([&] { curve = MeasureCostCurve(model->executable, options); });
  }
  if (!known && !curve.ok()) {
    spdlog::warn("tuning: {} version {}: its batches are not measured: {}", model->name,
                 model->version, std::string(curve.status().message()));
    return;
  }
  const std::int64_t paying_rows = PayingRows(known ? *known : *curve);
  ApplyBatchLimit(*model, paying_rows, served_.repository.SettingsOf(model->name),
                  &served_.scheduler);
  if (known) return;
  spdlog::info("tuning: {} version {}: batches pay up to {} rows", model->name, model->version,
               paying_rows);
  if (absl::Status status = served_.costs.Add(key, *std::move(curve)); !status.ok() && keeps_) {
    spdlog::warn("tuning: what is measured is not kept for the next start: {}",
                 std::string(status.message()));
    keeps_ = false;
  }
}

void Tuner::MeasureLayers(Work& work) {
  while (work.next < work.layers.size() && HasTime() && work.status.ok()) {
    if (!WaitUntilIdle(work.model)) return;
    const std::size_t measured_before = work.measured;
    const std::chrono::nanoseconds start = environment_.now();
    environment_.RunAside([this, &work] { MeasureWhileIdle(work); });
    const std::chrono::nanoseconds time = environment_.now() - start;
    work.time += time;
    figures_.time += time;
    figures_.measured_layers += work.measured - measured_before;
    Publish();
    if (work.measured == measured_before) continue;
    for (const auto& [key, choice] : measured_.entries()) choices_.Set(key, choice);
    Keep();
  }
}

void Tuner::MeasureWhileIdle(Work& work) {
  const RequestCounts counts = idle_.counts();
  const auto stops = [this, counts] {
    return environment_.stopped() || environment_.requests() != counts;
  };
  work.status = Read(work);
  if (!work.status.ok()) return;
  MeasureLayerOptions options;
  options.batch_sizes = options_.batch_sizes;
  options.measure.compile = served_.loader.compile_options();
  options.measure.compile.max_arena_byte_size = kMaxTensorByteSize;
  options.measure.budget = options_.layer_budget;
  options.measure.other_byte_size =
      std::min(kMaxOtherByteSize, work.model->executable->packed_byte_size());
  options.measure.stops = stops;
  options.measure.now = [this] { return environment_.now(); };
  const std::chrono::nanoseconds end = environment_.now() + std::min(kLongestStretch, TimeLeft());
  while (work.next < work.layers.size() && environment_.now() < end && !stops()) {
    const UnmeasuredLayer& layer = work.layers[work.next];
    const absl::Status status =
        MeasureLayer(*work.graph, layer.node, served_.loader.operators(),
                     work.model->executable->kernel_set(), options, measured_);
    if (absl::IsCancelled(status)) return;
    // A layer that cannot be measured is left to the rule.
    ++work.next;
    if (status.ok()) ++work.measured;
    if (!status.ok()) spdlog::debug("tuning: {}: {}", layer.node, std::string(status.message()));
    pending_.erase(layer.layer);
  }
}

absl::Status Tuner::Exchange(Work& work) {
  if (!WaitUntilIdle(work.model)) return absl::CancelledError("stopped");
  absl::StatusOr<ModelHandle> recompiled = absl::CancelledError("stopped");
  environment_.RunAside([&] {
    work.status = Read(work);
    if (!work.status.ok()) return;
    recompiled = served_.loader.Recompile(*work.model, *work.bundle,
                                          std::make_shared<const KernelChoices>(choices_),
                                          [this] { return environment_.stopped(); });
  });
  RETURN_IF_ERROR(work.status);
  RETURN_IF_ERROR(recompiled.status());
  // Every worker has its Session before the first request can ask for it.
  absl::Status status = absl::CancelledError("stopped");
  environment_.RunUnlessStopped([&] {
    status = served_.scheduler.Prepare((*recompiled)->executable);
    if (status.ok()) status = served_.repository.Replace(work.model, *recompiled);
    if (!status.ok()) served_.scheduler.Retire((*recompiled)->executable);
  });
  RETURN_IF_ERROR(status);
  ++figures_.recompiled_versions;
  Publish();
  recompiled = absl::CancelledError("not held any more");
  Retire(std::move(work.model));
  return absl::OkStatus();
}

void Tuner::Retire(ModelHandle old) {
  // Nobody can get hold of it any more: what is inside holds it until it is answered.
  while (old.use_count() > 1) {
    if (environment_.stopped()) return;
    environment_.Wait(options_.look_every);
  }
  environment_.RunUnlessStopped([&] { served_.scheduler.Retire(old->executable); });
}

absl::Status Tuner::Read(Work& work) const {
  if (work.graph) return absl::OkStatus();
  ASSIGN_OR_RETURN(work.bundle, BundleLoader::ReadAgain(*work.model));
  Graph graph = work.bundle->graph;
  RETURN_IF_ERROR(VerifyGraph(graph, served_.loader.operators()));
  RunPasses(graph);
  work.graph = std::move(graph);
  return absl::OkStatus();
}

void Tuner::Keep() {
  if (options_.choices_path.empty() || !keeps_) return;
  const absl::Status status = AddToKernelChoices(options_.choices_path, measured_);
  keeps_ = status.ok();
  if (keeps_) return;
  spdlog::warn("tuning: what is measured is not kept for the next start: {}",
               std::string(status.message()));
}

bool Tuner::IsServed(const ModelHandle& model) const {
  return served_.repository.Served(model->name, model->version) == model;
}

bool Tuner::WaitUntilIdle(const ModelHandle& model) {
  while (!environment_.stopped() && IsServed(model)) {
    if (idle_.Look(environment_.now(), environment_.requests())) return true;
    environment_.Wait(options_.look_every);
  }
  return false;
}

void Tuner::Publish() {
  figures_.pending_layers = pending_.size();
  served_.metrics.SetTuningFigures(figures_);
}

}  // namespace octet
