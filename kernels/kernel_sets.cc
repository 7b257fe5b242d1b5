// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "kernels/amx/amx_set.h"
#include "kernels/avx2/avx2_set.h"
#include "kernels/avx512vnni/avx512vnni_set.h"
#include "kernels/kernel_set.h"
#include "kernels/onednn/conv2d_f32.h"
#include "kernels/reference/reference.h"

namespace octet::kernels {
namespace {

constexpr std::array<const KernelSet*, 4> kSets = {&amx::kSet, &avx512vnni::kSet, &avx2::kSet,
                                                   &reference::kSet};

}  // namespace

std::span<const KernelSet* const> AllKernelSets() { return kSets; }

const KernelSet* FindKernelSet(std::string_view name) {
  for (const KernelSet* set : kSets) {
    if (set->name == name) return set;
  }
  return nullptr;
}

const KernelSet* BestKernelSet() {
  for (const KernelSet* set : kSets) {
    if (set->runs_here()) return set;
  }
  return &reference::kSet;
}

KernelSetSelection SelectKernelSet(const char* forced_name) {
  if (forced_name == nullptr || *forced_name == '\0') return {BestKernelSet(), ""};
  const KernelSet* set = FindKernelSet(forced_name);
  if (set != nullptr && set->runs_here()) return {set, ""};
  std::string names;
  for (const KernelSet* known : kSets) {
    if (!known->runs_here()) continue;
    if (!names.empty()) names += ", ";
    names += known->name;
  }
  const std::string_view reason =
      set == nullptr ? "is not a kernel set" : "does not run on this CPU";
  // Appended to one string: g++ 12 warns of operator+ on a temporary (-Wrestrict), wrongly.
  std::string error = "\"";
  error.append(forced_name).append("\" ").append(reason);
  error.append("; those that run here: ").append(names);
  return {nullptr, std::move(error)};
}

void PrepareThread() { onednn::UseOneThread(); }

std::string OneDnnVersion() { return onednn::Version(); }

}  // namespace octet::kernels
