// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/matmul_s8.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/implementations.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s4_product.h"
#include "kernels/packed/s8_product.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

// Rows whose packed copies are in the scratch at one time; it bounds the
// scratch.
constexpr std::size_t kRowsAtATime = 5 * kTileRows;

// From how many rows on the panels for many rows are taken, by name.
struct RowRule {
  std::string_view name;
  std::size_t many_rows_from;
};
constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
constexpr std::array kRowRules = {RowRule{"many_rows_from_1", 1}, RowRule{"many_rows_from_4", 4},
                                  RowRule{"many_rows_from_16", 16},
                                  RowRule{"few_rows_only", kNever}};
// Of a set without panels for many rows.
constexpr std::string_view kOnly = "panels";

// The set's own rule first.
std::vector<std::string_view> RowRuleNames(bool has_many_rows, const MicroKernels& micro) {
  std::vector<std::string_view> names;
  if (!has_many_rows) {
    names.push_back(kOnly);
    return names;
  }
  for (const RowRule& rule : kRowRules) {
    const bool is_own = rule.many_rows_from == micro.many_rows_from;
    names.insert(is_own ? names.begin() : names.end(), rule.name);
  }
  return names;
}

// `micro` with the rule of that name, which RowRuleNames has; empty: its own.
MicroKernels WithRowRule(const MicroKernels& micro, std::string_view name) {
  MicroKernels result = micro;
  for (const RowRule& rule : kRowRules) {
    if (rule.name == name) result.many_rows_from = rule.many_rows_from;
  }
  return result.many_rows_from == kNever ? WithoutManyRows(micro) : result;
}

std::string CheckRowRule(bool has_many_rows, const MicroKernels& micro, std::string_view name) {
  return name.empty() ? "" : CheckImplementation(name, RowRuleNames(has_many_rows, micro));
}

class PackedMatmulS8 final : public MatmulS8 {
 public:
  PackedMatmulS8(const MicroKernels& micro, const S8Product::Spec& spec)
      : micro_(micro),
        k_(spec.k),
        n_(spec.n),
        kind_(spec.epilogue.kind),
        product_(micro_, spec),
        provider_(micro.s8->name) {
    if (micro.s8_many_rows != nullptr) provider_ += std::string(", ") + micro.s8_many_rows->name;
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return product_.PackedByteSize(); }
  std::size_t ScratchByteSize(std::size_t m) const override {
    return product_.PackedLhsByteSize(std::min(m, kRowsAtATime));
  }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_);
    assert(a.scratch.size() >= ScratchByteSize(a.m));
    assert(kind_ != EpilogueKind::kDynamic || a.row_scale.size() * a.row_scale_rows >= a.m);
    assert(a.residual.empty() || a.residual.size() == a.out.f32.size());
    const OutputBytes out = OutputOf(kind_, a.out);
    const S8Panels& panels = product_.PanelsFor(a.m);
    for (std::size_t first = 0; first < a.m; first += kRowsAtATime) {
      const std::size_t count = std::min(kRowsAtATime, a.m - first);
      product_.PackLhs(panels, a.lhs.data() + first * k_, k_, count, a.scratch.data());
      product_.Run(
          panels,
          {.lhs = a.scratch.data(),
           .count = count,
           .residual = OrNull(a.residual, first * n_),
           .out = out.data + first * n_ * out.element_size,
           .out_stride = n_,
           .out_element_size = out.element_size},
          {.scale = a.row_scale.data(), .first_row = first, .rows_per_scale = a.row_scale_rows});
    }
  }

 private:
  const MicroKernels micro_;  // with this layer's rule; the product refers to it
  const std::size_t k_;
  const std::size_t n_;
  const EpilogueKind kind_;
  const S8Product product_;
  std::string provider_;
};

class PackedMatmulS8S4 final : public MatmulS8 {
 public:
  PackedMatmulS8S4(const MicroKernels& micro, const MatmulS8S4Spec& spec)
      : micro_(micro),
        k_(spec.k),
        n_(spec.n),
        kind_(spec.epilogue.kind),
        product_(micro_, spec),
        provider_(product_.Provider()) {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return product_.PackedByteSize(); }
  std::size_t ScratchByteSize(std::size_t m) const override {
    // Fewer rows at the end may need more than whole blocks do: they may have to be copied.
    const std::size_t rest = product_.ScratchByteSize(m % kRowsAtATime);
    return m < kRowsAtATime ? rest : std::max(rest, product_.ScratchByteSize(kRowsAtATime));
  }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_);
    assert(a.scratch.size() >= ScratchByteSize(a.m));
    assert(kind_ != EpilogueKind::kDynamic || a.row_scale.size() * a.row_scale_rows >= a.m);
    assert(a.residual.empty() || a.residual.size() == a.out.f32.size());
    const OutputBytes out = OutputOf(kind_, a.out);
    for (std::size_t first = 0; first < a.m; first += kRowsAtATime) {
      product_.Run({.lhs = a.lhs.data() + first * k_,
                    .count = std::min(kRowsAtATime, a.m - first),
                    .row_scales = {.scale = a.row_scale.data(),
                                   .first_row = first,
                                   .rows_per_scale = a.row_scale_rows},
                    .residual = OrNull(a.residual, first * n_),
                    .out = out.data + first * n_ * out.element_size,
                    .out_element_size = out.element_size,
                    .scratch = a.scratch.data()});
    }
  }

 private:
  const MicroKernels micro_;  // with this layer's rule; the product refers to it
  const std::size_t k_;
  const std::size_t n_;
  const EpilogueKind kind_;
  const S4Product product_;
  const std::string provider_;
};

}  // namespace

Prepared<MatmulS8> PreparePackedMatmulS8(const MicroKernels& micro, const MatmulS8Spec& spec) {
  if (std::string error = CheckMatmulS8(spec); !error.empty()) return {nullptr, std::move(error)};
  if (std::string error = CheckRowRule(micro.s8_many_rows != nullptr, micro, spec.implementation);
      !error.empty()) {
    return {nullptr, std::move(error)};
  }
  const S8Product::Spec product = {
      .k = spec.k,
      .n = spec.n,
      .weight =
          [&spec](std::size_t p, std::size_t j) {
            return spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)];
          },
      .lhs_zero_point = spec.lhs_zero_point,
      .epilogue = spec.epilogue,
      .zero_point = spec.zero_point};
  return {std::make_unique<PackedMatmulS8>(WithRowRule(micro, spec.implementation), product), ""};
}

std::vector<std::string_view> PackedMatmulS8Implementations(const MicroKernels& micro,
                                                            const MatmulS8Spec& spec) {
  if (!CheckMatmulS8(spec).empty()) return {};
  return RowRuleNames(micro.s8_many_rows != nullptr, micro);
}

Prepared<MatmulS8> PreparePackedMatmulS8S4(const MicroKernels& micro, const MatmulS8S4Spec& spec) {
  if (std::string error = CheckMatmulS8S4(spec); !error.empty()) return {nullptr, std::move(error)};
  if (std::string error = CheckRowRule(micro.s4_many_rows != nullptr, micro, spec.implementation);
      !error.empty()) {
    return {nullptr, std::move(error)};
  }
  return {std::make_unique<PackedMatmulS8S4>(WithRowRule(micro, spec.implementation), spec), ""};
}

std::vector<std::string_view> PackedMatmulS8S4Implementations(const MicroKernels& micro,
                                                              const MatmulS8S4Spec& spec) {
  if (!CheckMatmulS8S4(spec).empty()) return {};
  return RowRuleNames(micro.s4_many_rows != nullptr, micro);
}

}  // namespace octet::kernels
