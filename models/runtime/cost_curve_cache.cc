// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/cost_curve_cache.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "kernels/cpu_features.h"
#include "kernels/implementations.h"
#include "kernels/kernel_set.h"
#include "models/base/quoted.h"
#include "models/runtime/cache_file.h"

namespace octet {
namespace {

constexpr std::size_t kMaxPoints = 32;
constexpr std::int64_t kMaxRows = std::int64_t{1} << 20;
constexpr double kMaxMicroseconds = 1e9;

std::string FirstLine() {
  return absl::StrCat("octet-cost-curves 1 kernels ", kernels::kImplementationsRevision);
}

std::optional<CostCurve> ParseCurve(absl::string_view text) {
  CostCurve curve;
  for (const absl::string_view field : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    CostPoint point;
    double us = 0;
    if (!absl::SimpleAtoi(parts.first, &point.rows) || !absl::SimpleAtod(parts.second, &us) ||
        !std::isfinite(us) || us <= 0 || us > kMaxMicroseconds || point.rows > kMaxRows ||
        point.rows <= (curve.empty() ? 0 : curve.back().rows) || curve.size() == kMaxPoints) {
      return std::nullopt;
    }
    point.time = std::chrono::nanoseconds(std::llround(us * 1e3));
    curve.push_back(point);
  }
  return curve;
}

}  // namespace

CostCurveKey CostKeyOf(const Executable& executable, std::string bundle_digest) {
  return {.cpu = kernels::CpuName(),
          .kernel_set = std::string(executable.kernel_set().name),
          .bundle_digest = std::move(bundle_digest)};
}

std::string SerializeCostCurves(const CostCurves& curves) {
  std::string text = absl::StrCat(FirstLine(), "\n");
  for (const auto& [key, curve] : curves) {
    absl::StrAppend(&text, key.cpu, "\t", key.kernel_set, "\t", key.bundle_digest, "\t",
                    absl::StrJoin(curve, ",", [](std::string* out, const CostPoint& point) {
                      absl::StrAppendFormat(out, "%d=%.6g", point.rows,
                                            static_cast<double>(point.time.count()) * 1e-3);
                    }));
    text += '\n';
  }
  return text;
}

StoredCostCurves ParseCostCurves(absl::string_view text) {
  StoredCostCurves result;
  const auto parse = [&result](absl::string_view line) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
    if (fields.size() != 4 || !IsCacheText(fields[0]) || !IsCacheText(fields[1]) ||
        !IsCacheText(fields[2])) {
      return false;
    }
    std::optional<CostCurve> curve = ParseCurve(fields[3]);
    if (!curve) return false;
    result.curves[{.cpu = std::string(fields[0]),
                   .kernel_set = std::string(fields[1]),
                   .bundle_digest = std::string(fields[2])}] = *std::move(curve);
    return true;
  };
  result.warning = ParseCacheLines(text, FirstLine(), parse);
  return result;
}

CostCurveCache::CostCurveCache(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  CacheFile file = ReadCacheFile(path_);
  warning_ = std::move(file.warning);
  if (!file.text) return;
  StoredCostCurves stored = ParseCostCurves(*file.text);
  if (!stored.warning.empty()) warning_ = absl::StrCat(Quoted(path_), ": ", stored.warning);
  curves_ = std::move(stored.curves);
}

std::optional<CostCurve> CostCurveCache::Find(const CostCurveKey& key) const {
  MutexLock lock(mutex_);
  const auto found = curves_.find(key);
  if (found == curves_.end()) return std::nullopt;
  return found->second;
}

absl::Status CostCurveCache::Add(const CostCurveKey& key, CostCurve curve) {
  MutexLock lock(mutex_);
  if (!path_.empty()) {
    // Whatever another process has added by now.
    const CacheFile file = ReadCacheFile(path_);
    if (file.text) curves_.merge(ParseCostCurves(*file.text).curves);
  }
  curves_[key] = std::move(curve);
  return path_.empty() ? absl::OkStatus() : ReplaceCacheFile(path_, SerializeCostCurves(curves_));
}

}  // namespace octet
