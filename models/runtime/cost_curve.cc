// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/cost_curve.h"

#include <algorithm>
#include <limits>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/runtime/session.h"
#include "models/runtime/synthetic_inputs.h"
#include "models/tensor/tensor.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;

// So many runs, or so long, for each size; at least the fewest, if the budget lasts.
constexpr int kFewestRuns = 3;
constexpr int kMostRuns = 50;
constexpr nanoseconds kEnoughTime = std::chrono::milliseconds(30);
// Where two doublings have not made a row cheaper by this share, no third will.
constexpr double kLeastGain = 0.03;
constexpr std::size_t kMaxInputByteSize = std::size_t{64} << 20;

double TimeOfRow(const CostPoint& point) {
  return static_cast<double>((point.time + kTimeBesideRun).count()) /
         static_cast<double>(point.rows);
}

// A batch of made-up rows, run again and again.
class Batch {
 public:
  static absl::StatusOr<Batch> Make(Session& session, std::int64_t rows) {
    const Executable& executable = session.executable();
    Batch batch(session, rows);
    std::vector<TensorType> types;
    for (const TensorSignature& input : executable.inputs()) types.push_back(input.type);
    ASSIGN_OR_RETURN(batch.inputs_, MakeSyntheticInputs(types, executable.symbol_names().size(),
                                                        rows, kMaxInputByteSize));
    for (const Tensor& input : batch.inputs_) batch.input_views_.push_back(input.view());
    std::vector<Dims> dims;
    RETURN_IF_ERROR(session.OutputDims(batch.input_views_, dims));
    for (std::size_t i = 0; i < dims.size(); ++i) {
      batch.outputs_.emplace_back(executable.outputs()[i].type.data_type, std::move(dims[i]));
    }
    for (Tensor& output : batch.outputs_) batch.output_views_.push_back(output.mutable_view());
    return batch;
  }

  absl::Status Run(absl::FunctionRef<bool()> stops) {
    return session_->RunRows(input_views_, output_views_, {.first = 0, .count = rows_}, stops);
  }

 private:
  Batch(Session& session, std::int64_t rows) : session_(&session), rows_(rows) {}

  Session* session_;
  std::int64_t rows_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::vector<TensorView> input_views_;
  std::vector<MutableTensorView> output_views_;
};

// The best time of several runs until `end`; 0 if there was none.
absl::StatusOr<nanoseconds> BestTime(Batch batch, nanoseconds end,
                                     const MeasureCurveOptions& options) {
  nanoseconds best{0};
  nanoseconds spent{0};
  // The first finds nothing in the caches, and is not counted where there is another.
  for (int run = -1; run < kMostRuns; ++run) {
    const nanoseconds start = options.now();
    if (start >= end || (run >= kFewestRuns && spent >= kEnoughTime)) break;
    RETURN_IF_ERROR(batch.Run(options.stops));
    const nanoseconds time = std::max(options.now() - start, nanoseconds(1));
    spent += time;
    best = run <= 0 ? time : std::min(best, time);
  }
  return best;
}

// Whether the last two points gained nothing on the best before them.
bool HasFlattened(std::span<const CostPoint> curve) {
  if (curve.size() < 3) return false;
  double before = std::numeric_limits<double>::infinity();
  for (const CostPoint& point : curve.first(curve.size() - 2)) {
    before = std::min(before, TimeOfRow(point));
  }
  return std::ranges::all_of(curve.last(2), [before](const CostPoint& point) {
    return TimeOfRow(point) > before * (1 - kLeastGain);
  });
}

}  // namespace

std::int64_t PayingRows(std::span<const CostPoint> curve) {
  if (curve.empty()) return 1;
  const double least = TimeOfRow(*std::ranges::min_element(curve, {}, TimeOfRow));
  return std::ranges::find_if(curve,
                              [least](const CostPoint& point) {
                                return TimeOfRow(point) <= least * (1 + kCostTolerance);
                              })
      ->rows;
}

absl::StatusOr<CostCurve> MeasureCostCurve(const std::shared_ptr<const Executable>& executable,
                                           const MeasureCurveOptions& options) {
  Arena arena;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Create(executable, arena));
  const nanoseconds end = options.now() + options.budget;
  CostCurve curve;
  for (std::int64_t rows = 1; rows <= executable->max_rows(); rows *= 2) {
    if (!curve.empty() && 2 * curve.back().time > options.longest_batch) break;
    absl::StatusOr<Batch> batch = Batch::Make(*session, rows);
    // What is too large for one row is an error; for more it is where the curve ends.
    if (!batch.ok() && curve.empty()) return batch.status();
    if (!batch.ok()) break;
    ASSIGN_OR_RETURN(const nanoseconds time, BestTime(*std::move(batch), end, options));
    if (time == nanoseconds(0)) break;
    curve.push_back({.rows = rows, .time = time});
    if (HasFlattened(curve)) break;
  }
  if (!curve.empty()) return curve;
  return absl::DeadlineExceededError(
      absl::StrCat("one row was not run within the ",
                   std::chrono::duration_cast<std::chrono::milliseconds>(options.budget).count(),
                   " ms allowed"));
}

}  // namespace octet
