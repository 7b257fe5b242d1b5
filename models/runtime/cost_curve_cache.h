// SPDX-License-Identifier: Apache-2.0
// The cost curves that were measured on this CPU, by bundle; in a file, where there is one.
//
// The file is text, a line for each curve, fields separated by tabs:
//
//   octet-cost-curves 1 kernels REVISION
//   CPU <tab> KERNEL_SET <tab> BUNDLE_DIGEST <tab> ROWS=US,ROWS=US ...
//
// A cache: whatever is wrong with it, nothing is lost but time. What cannot be used is left out,
// with a warning.

#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "models/base/mutex.h"
#include "models/runtime/cost_curve.h"

namespace octet {

struct CostCurveKey {
  std::string cpu;  // kernels::CpuName
  std::string kernel_set;
  std::string bundle_digest;
  friend auto operator<=>(const CostCurveKey&, const CostCurveKey&) = default;
};
// Of `executable`, compiled from the bundle, on this CPU.
CostCurveKey CostKeyOf(const Executable& executable, std::string bundle_digest);

using CostCurves = std::map<CostCurveKey, CostCurve>;

struct StoredCostCurves {
  CostCurves curves;
  std::string warning;  // what was left out and why; empty: nothing
};

std::string SerializeCostCurves(const CostCurves& curves);
StoredCostCurves ParseCostCurves(absl::string_view text);

// Thread safety: any thread may call any method.
class CostCurveCache {
 public:
  // With what the file at `path` holds; empty: nothing is kept. A file that is not there holds
  // nothing, without a warning.
  explicit CostCurveCache(std::string path = "");

  // What could not be used of the file, and why; empty: nothing.
  [[nodiscard]] const std::string& warning() const { return warning_; }

  [[nodiscard]] std::optional<CostCurve> Find(const CostCurveKey& key) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Adds it, to the file as well, to which other processes may have added theirs meanwhile. Returns
  // UNAVAILABLE with the path and the reason where the file cannot be replaced as a whole.
  absl::Status Add(const CostCurveKey& key, CostCurve curve) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string path_;
  std::string warning_;
  mutable Mutex mutex_;
  CostCurves curves_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace octet
