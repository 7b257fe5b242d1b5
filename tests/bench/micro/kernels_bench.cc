// SPDX-License-Identifier: Apache-2.0
// The kernel families whose speed decides: one thread, each set that runs here.
//
//   kernels_bench --benchmark_filter=avx2

#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel_set.h"

namespace octet::kernels {
namespace {

constexpr std::size_t kScratchBytes = std::size_t{64} << 20;

std::span<std::byte> Scratch() {
  static void* const scratch = std::aligned_alloc(kScratchAlignment, kScratchBytes);
  return {static_cast<std::byte*>(scratch), kScratchBytes};
}

// Quantizes m rows and multiplies them: what a dynamic int8 layer does.
void FullyConnectedS8(benchmark::State& state, const KernelSet& set, std::size_t m, std::size_t k,
                      std::size_t n, int bits, std::size_t group_size = 0) {
  const std::vector<std::int8_t> weight(k * n, 3);
  const std::vector<float> scale(n, 30.0F);
  const std::vector<float> group_scale(group_size == 0 ? 0 : k / group_size * n, 0.03F);
  const std::vector<float> x(m * k, 0.7F);
  std::vector<std::int8_t> q(m * k);
  std::vector<float> row_scale(m);
  std::vector<float> y(m * n);
  Epilogue epilogue = {.kind = EpilogueKind::kDynamic, .weight_scale = scale};
  if (group_size != 0) {
    epilogue.weight_scale = {};
    epilogue.convention = ScaleConvention::kMultiply;
  }
  const Prepared<MatmulS8> prepared =
      bits == 8 ? set.prepare_matmul_s8({.k = k, .n = n, .weight = weight, .epilogue = epilogue})
                : set.prepare_matmul_s8s4({.k = k,
                                           .n = n,
                                           .weight = weight,
                                           .group_size = group_size,
                                           .scale = group_scale,
                                           .epilogue = epilogue});
  for (auto _ : state) {
    set.quantize_rows_s8({.num_rows = m, .row_size = k}, x, q, row_scale);
    prepared.kernel->Run(
        {.m = m, .lhs = q, .row_scale = row_scale, .out = {.f32 = y}, .scratch = Scratch()});
    benchmark::ClobberMemory();
  }
  state.counters["GOPS"] = benchmark::Counter(
      2e-9 * static_cast<double>(m * k * n) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
  state.SetLabel(std::string(prepared.kernel->Provider()));
}

void FullyConnectedF32(benchmark::State& state, const KernelSet& set, std::size_t m, std::size_t k,
                       std::size_t n, int bits) {
  const std::vector<float> weight(k * n, 0.3F);
  const std::vector<std::int8_t> integers(k * n, 3);
  const std::vector<float> scale(n, 30.0F);
  const std::vector<float> x(m * k, 0.7F);
  std::vector<float> y(m * n);
  const Prepared<MatmulF32> prepared =
      bits == 32 ? set.prepare_matmul_f32({.k = k, .n = n, .weight = weight})
                 : set.prepare_matmul_weight_only(
                       {.k = k, .n = n, .bits = bits, .weight = integers, .scale = scale});
  for (auto _ : state) {
    prepared.kernel->Run({.m = m, .lhs = x, .out = y, .scratch = Scratch()});
    benchmark::ClobberMemory();
  }
  state.counters["GFLOPS"] = benchmark::Counter(
      2e-9 * static_cast<double>(m * k * n) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
  state.SetLabel(std::string(prepared.kernel->Provider()));
}

void Convolution(benchmark::State& state, const KernelSet& set, const Conv2dGeometry& g,
                 bool is_s8) {
  const std::size_t size = g.kernel_height * g.kernel_width * g.in_channels / g.groups;
  const std::vector<std::int8_t> filter_s8(size * g.out_channels, 2);
  const std::vector<float> filter(size * g.out_channels, 0.1F);
  const std::vector<float> scale(g.out_channels, 0.01F);
  const std::vector<std::int8_t> in_s8(g.InSize(), 5);
  const std::vector<float> in(g.InSize(), 0.5F);
  std::vector<std::int8_t> out_s8(g.OutSize());
  std::vector<float> out(g.OutSize());
  const auto s8 =
      set.prepare_conv2d_s8({.geometry = g,
                             .filter = filter_s8,
                             .epilogue = {.kind = EpilogueKind::kStatic, .multiplier = scale}});
  const auto f32 = set.prepare_conv2d_f32({.geometry = g, .filter = filter});
  for (auto _ : state) {
    if (is_s8) {
      s8.kernel->Run({.num_images = 1, .in = in_s8, .out = {.s8 = out_s8}, .scratch = Scratch()});
    } else {
      f32.kernel->Run({.num_images = 1, .in = in, .out = out, .scratch = Scratch()});
    }
    benchmark::ClobberMemory();
  }
  state.counters["GOPS"] = benchmark::Counter(
      2e-9 * static_cast<double>(size * g.OutSize()) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
  state.SetLabel(std::string(is_s8 ? s8.kernel->Provider() : f32.kernel->Provider()));
}

void Activate(benchmark::State& state, const KernelSet& set, ActivationKind kind) {
  const std::vector<float> in(4096, 0.7F);
  std::vector<float> out(in.size());
  for (auto _ : state) {
    set.activation_f32(DefaultActivation(kind), in, out);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(in.size()));
}

void Register(const KernelSet& set) {
  const std::string name(set.name);
  const auto add = [](const std::string& title, const auto& run) {
    benchmark::RegisterBenchmark(title.c_str(), run)->Unit(benchmark::kMicrosecond);
  };
  for (const std::size_t m : {1UL, 8UL, 128UL}) {
    const std::string shape = "/" + std::to_string(m) + "x768x768";
    for (const int bits : {8, 4}) {
      add(name + "/s8s" + std::to_string(bits) + shape,
          [&set, m, bits](benchmark::State& s) { FullyConnectedS8(s, set, m, 768, 768, bits); });
    }
    for (const std::size_t group : {128UL, 32UL}) {
      add(name + "/s8s4g" + std::to_string(group) + shape, [&set, m, group](benchmark::State& s) {
        FullyConnectedS8(s, set, m, 768, 768, 4, group);
      });
    }
    for (const int bits : {32, 8, 4}) {
      add(name + "/f32w" + std::to_string(bits) + shape,
          [&set, m, bits](benchmark::State& s) { FullyConnectedF32(s, set, m, 768, 768, bits); });
    }
  }
  const Conv2dGeometry dense = {.in_height = 28,
                                .in_width = 28,
                                .in_channels = 64,
                                .kernel_height = 3,
                                .kernel_width = 3,
                                .out_channels = 64,
                                .pad_top = 1,
                                .pad_left = 1,
                                .pad_bottom = 1,
                                .pad_right = 1};
  Conv2dGeometry depthwise = dense;
  depthwise.groups = 64;
  for (const bool is_s8 : {true, false}) {
    const std::string type = is_s8 ? "/s8" : "/f32";
    add(name + "/conv3x3_28x28x64" + type,
        [&set, dense, is_s8](benchmark::State& s) { Convolution(s, set, dense, is_s8); });
    add(name + "/depthwise3x3_28x28x64" + type,
        [&set, depthwise, is_s8](benchmark::State& s) { Convolution(s, set, depthwise, is_s8); });
  }
  // Where storing the results takes as long as computing them.
  for (const std::size_t channels : {8UL, 24UL}) {
    const Conv2dGeometry pointwise = {
        .in_height = 56, .in_width = 56, .in_channels = channels, .out_channels = 6 * channels};
    add(name + "/conv1x1_56x56x" + std::to_string(channels) + "/s8",
        [&set, pointwise](benchmark::State& s) { Convolution(s, set, pointwise, true); });
  }
  for (const auto kind : {ActivationKind::kRelu, ActivationKind::kTanh, ActivationKind::kGelu}) {
    add(name + "/" + std::string(ActivationKindName(kind)),
        [&set, kind](benchmark::State& s) { Activate(s, set, kind); });
  }
}

}  // namespace
}  // namespace octet::kernels

int main(int argc, char** argv) {
  octet::kernels::PrepareThread();
  for (const octet::kernels::KernelSet* set : octet::kernels::AllKernelSets()) {
    if (set->name != "reference" && set->runs_here()) octet::kernels::Register(*set);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
