// SPDX-License-Identifier: Apache-2.0

#include "server/repository/bundle_loader.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/bundle/evaluation.h"
#include "models/bundle/reader.h"
#include "models/runtime/self_test.h"
#include "models/runtime/session.h"
#include "models/runtime/step_comparison.h"
#include "models/tensor/shape.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

absl::Status Stopped() { return absl::CancelledError("loading was stopped"); }

// Runs one row of zeros, so that the first request finds weights in memory and code in the caches.
// Models with further open dimensions are warmed up by their self-test alone: no length is known to
// be right for them.
absl::Status WarmUp(Session& session) {
  const Executable& executable = session.executable();
  std::vector<Tensor> inputs;
  std::vector<TensorView> views;
  inputs.reserve(executable.inputs().size());
  for (const TensorSignature& input : executable.inputs()) {
    Dims dims;
    for (const Dim& dim : input.type.shape) {
      if (!dim.is_constant() && !(dim.symbol() == kRows)) return absl::OkStatus();
      const std::int64_t one_row[] = {1};
      dims.push_back(dim.is_constant() ? dim.value() : dim.Evaluate(one_row));
    }
    inputs.emplace_back(input.type.data_type, std::move(dims));
    views.push_back(inputs.back().view());
  }
  std::vector<Dims> output_dims;
  RETURN_IF_ERROR(session.OutputDims(views, output_dims));
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  outputs.reserve(output_dims.size());
  for (std::size_t i = 0; i < output_dims.size(); ++i) {
    outputs.emplace_back(executable.outputs()[i].type.data_type, output_dims[i]);
    output_views.push_back(outputs.back().mutable_view());
  }
  return session.Run(views, output_views);
}

// What was measured on just this bundle; what was not, or cannot be read, becomes a warning.
std::vector<EvaluationFigure> ReadFigures(const std::string& path, const std::string& digest,
                                          std::vector<std::string>& warnings) {
  std::vector<EvaluationFigure> figures;
  const absl::StatusOr<std::vector<Evaluation>> evaluations = ReadEvaluations(path);
  if (!evaluations.ok()) {
    warnings.emplace_back(evaluations.status().message());
    return figures;
  }
  for (const Evaluation& evaluation : *evaluations) {
    if (evaluation.bundle_digest != digest) {
      warnings.push_back(absl::StrCat(path, ": the evaluation on \"", evaluation.data_set,
                                      "\" was made with another bundle; evaluate this one"));
      continue;
    }
    // A label that came twice would be refused by whoever reads the metrics: the last one counts.
    std::erase_if(figures, [&evaluation](const EvaluationFigure& figure) {
      return figure.dataset == evaluation.data_set;
    });
    figures.push_back({evaluation.data_set, evaluation.samples, evaluation.top1_accuracy});
  }
  return figures;
}

// As an order.
const char* RemedyFor(const LoadOutcome& outcome) {
  if (outcome.step == LoadStep::kSelfTest) {
    return "this CPU's kernels do not compute what the bundle expects: rebuild the bundle, try "
           "OCTET_KERNEL_SET=reference, and report it";
  }
  switch (outcome.status.code()) {
    case absl::StatusCode::kDataLoss:
      return "the bundle is damaged: rebuild it, or copy it again";
    case absl::StatusCode::kUnimplemented:
      return "use a newer octet-server, or rebuild the bundle without what this one lacks";
    case absl::StatusCode::kFailedPrecondition:
      return "serve it on a machine that has what it needs, or rebuild it for this one";
    case absl::StatusCode::kNotFound:
      return "put the bundle there, or remove the folder";
    case absl::StatusCode::kResourceExhausted:
      return "give the server more memory, or serve fewer models";
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnavailable:
      return "make it readable for the server's user";
    default:
      return "`octet inspect` shows what is in it; rebuild the bundle";
  }
}

}  // namespace

std::string DescribeFailure(const LoadOutcome& outcome) {
  // A self-test's message begins with its step already.
  const bool names_step = outcome.step == LoadStep::kSelfTest;
  return absl::StrCat(names_step ? "" : LoadStepName(outcome.step), names_step ? "" : ": ",
                      outcome.status.message(), "; ", RemedyFor(outcome));
}

BundleLoader::BundleLoader(Options options, const OperatorRegistry& operators,
                           const kernels::KernelSet& kernels, Metrics& metrics)
    : options_(std::move(options)), operators_(operators), kernels_(kernels), metrics_(metrics) {}

LoadOutcome BundleLoader::Load(const LoadOrder& order) const {
  LoadOutcome outcome;
  outcome.name = order.name;
  outcome.version = absl::StrCat(order.version);
  auto loaded = std::make_shared<ModelVersion>();
  loaded->name = order.name;
  loaded->version = order.version;
  loaded->version_string = outcome.version;
  loaded->path = order.path;
  outcome.status = LoadInto(order, *loaded, outcome);
  if (absl::IsCancelled(outcome.status) || outcome.is_unchanged) return outcome;
  if (!outcome.status.ok()) {
    if (order.counts_failure) {
      metrics_.RecordLoadFailure(outcome.name, outcome.version, outcome.step);
    }
    return outcome;
  }
  loaded->metrics =
      metrics_.AddModel({loaded->name, loaded->version_string, loaded->precision},
                        {.kernel_set = loaded->kernel_set,
                         .digest = loaded->digest,
                         .load_seconds = std::chrono::duration<double>(loaded->load_time).count(),
                         .evaluations = loaded->evaluations});
  outcome.handle = std::move(loaded);
  return outcome;
}

absl::Status BundleLoader::LoadInto(const LoadOrder& order, ModelVersion& version,
                                    LoadOutcome& outcome) const {
  const std::string& path = order.path;
  const auto stopped = [&order] { return order.stops && order.stops(); };
  const Clock::time_point start = Clock::now();
  outcome.step = LoadStep::kRead;
  ASSIGN_OR_RETURN(Bundle bundle, ReadBundle(path, {.copies_files = true}));
  if (order.served && bundle.digest == order.served->digest) {
    outcome.is_unchanged = true;
    return absl::OkStatus();
  }
  if (stopped()) return Stopped();

  outcome.step = LoadStep::kCompile;
  ASSIGN_OR_RETURN(version.executable,
                   Executable::Compile(bundle.graph, operators_, kernels_, options_.compile));
  if (stopped()) return Stopped();
  Arena arena;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                   Session::Create(version.executable, arena));

  outcome.step = LoadStep::kSelfTest;
  if (bundle.self_test) {
    const SelfTest& test = *bundle.self_test;
    RETURN_IF_ERROR(RunWholeSelfTest(*session, bundle.graph, operators_, test.inputs, test.outputs,
                                     test.tolerance));
  } else {
    outcome.warnings.push_back(absl::StrCat(path, ": has no self-test"));
  }

  if (stopped()) return Stopped();
  outcome.step = LoadStep::kWarmUp;
  RETURN_IF_ERROR(WarmUp(*session));

  version.precision = std::move(bundle.precision);
  version.kernel_set = options_.kernel_set_name;
  version.digest = std::move(bundle.digest);
  version.class_labels = std::move(bundle.class_labels);
  version.evaluations = ReadFigures(path, version.digest, outcome.warnings);
  if (options_.costs != nullptr) {
    if (const auto curve = options_.costs->Find(CostKeyOf(*version.executable, version.digest))) {
      version.paying_rows = PayingRows(*curve);
    }
  }
  version.load_time = Clock::now() - start;
  return absl::OkStatus();
}

absl::StatusOr<Bundle> BundleLoader::ReadAgain(const ModelVersion& version) {
  // A copy too: whoever writes to it meanwhile must not end the process.
  ASSIGN_OR_RETURN(Bundle bundle, ReadBundle(version.path, {.copies_files = true}));
  if (bundle.digest == version.digest) return bundle;
  return absl::FailedPreconditionError(
      absl::StrCat(version.path, ": is no longer the bundle that was loaded: its digest is ",
                   bundle.digest, ", wants ", version.digest));
}

absl::StatusOr<ModelHandle> BundleLoader::Recompile(const ModelVersion& version,
                                                    const Bundle& bundle,
                                                    std::shared_ptr<const KernelChoices> choices,
                                                    absl::FunctionRef<bool()> stops) const {
  CompileOptions options = options_.compile;
  options.choices = std::move(choices);
  if (stops()) return Stopped();
  auto recompiled = std::make_shared<ModelVersion>(version);
  ASSIGN_OR_RETURN(recompiled->executable,
                   Executable::Compile(bundle.graph, operators_, kernels_, options));
  if (stops()) return Stopped();
  if (bundle.self_test) {
    RETURN_IF_ERROR(CompareSteps(*recompiled->executable, *version.executable,
                                 bundle.self_test->inputs, /*tolerance=*/0));
  }
  if (stops()) return Stopped();
  Arena arena;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                   Session::Create(recompiled->executable, arena));
  RETURN_IF_ERROR(WarmUp(*session));
  return recompiled;
}

}  // namespace octet
