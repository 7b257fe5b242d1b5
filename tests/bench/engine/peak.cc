// SPDX-License-Identifier: Apache-2.0
// What one core of this CPU can do at most: a JSON object on stdout.
//
//   {"kernel_set": {"avx2": {"int8_gops": G, "f32_gflops": F}, ...},
//    "read": [[BYTES, GB_PER_SECOND], ...]}
//
// int8_gops is the rate of the instruction that the set's kernels multiply int8 with, operands in
// registers (avx2 without VNNI: vpmaddwd on widened bytes, and the addition; vpmaddubsw saturates).
// `read` is how fast a buffer of that many bytes can be read again and again: what weights cost
// that are used once.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <immintrin.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/cpu_features.h"

namespace octet::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t kIterations = 400000;

// Best of several, in units of `work` a nanosecond (so giga a second).
double BestRate(double work, const std::function<void()>& run) {
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const auto start = SteadyClock::now();
    run();
    const std::chrono::duration<double, std::nano> time = SteadyClock::now() - start;
    best = std::max(best, work / time.count());
  }
  return best;
}

// Twelve independent sums hide the latency of a multiplication. Assembly, lest the compiler see
// that nothing is done with them.

__attribute__((target("avx2,fma"))) void MultiplyAddF32x8() {
  __m256 sum[12] = {};
  const __m256 x = _mm256_set1_ps(0.5F);
  for (std::int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) asm volatile("vfmadd231ps %1, %1, %0" : "+x"(s) : "x"(x));
  }
}

__attribute__((target("avx2"))) void MultiplyAddS16x16() {
  __m256i sum[8] = {};
  const __m256i x = _mm256_set1_epi16(3);
  for (std::int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 8
    for (auto& s : sum) {
      __m256i product;
      asm volatile("vpmaddwd %1, %1, %0" : "=x"(product) : "x"(x));
      asm volatile("vpaddd %1, %0, %0" : "+x"(s) : "x"(product));
    }
  }
}

__attribute__((target("avx2,avxvnni"))) void DotProductS8x32() {
  __m256i sum[12] = {};
  const __m256i x = _mm256_set1_epi8(3);
  for (std::int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) asm volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(s) : "x"(x));
  }
}

__attribute__((target("avx512f"))) void MultiplyAddF32x16() {
  __m512 sum[12] = {};
  const __m512 x = _mm512_set1_ps(0.5F);
  for (std::int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) asm volatile("vfmadd231ps %1, %1, %0" : "+v"(s) : "v"(x));
  }
}

__attribute__((target("avx512f,avx512vnni"))) void DotProductS8x64() {
  __m512i sum[12] = {};
  const __m512i x = _mm512_set1_epi8(3);
  for (std::int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) asm volatile("vpdpbusd %1, %1, %0" : "+v"(s) : "v"(x));
  }
}

struct TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

__attribute__((target("amx-tile,amx-int8"))) void DotProductTiles() {
  alignas(64) static const std::byte zeros[1024] = {};
  const TileConfig config;
  _tile_loadconfig(&config);
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  for (std::int64_t i = 0; i < kIterations; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
}

__attribute__((target("avx2"))) void Read256(const std::byte* data, std::size_t size) {
  for (std::size_t i = 0; i < size; i += 256) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 256; j += 32) {
      __m256i value;
      asm volatile("vmovdqa %1, %0"
                   : "=x"(value)
                   : "m"(*reinterpret_cast<const __m256i*>(data + i + j)));
    }
  }
}

__attribute__((target("avx512f"))) void Read512(const std::byte* data, std::size_t size) {
  for (std::size_t i = 0; i < size; i += 512) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 512; j += 64) {
      __m512i value;
      asm volatile("vmovdqa64 %1, %0"
                   : "=v"(value)
                   : "m"(*reinterpret_cast<const __m512i*>(data + i + j)));
    }
  }
}

nlohmann::json ReadRates(bool has_avx512) {
  constexpr std::size_t kLargest = std::size_t{192} << 20;
  constexpr std::size_t kBytesPerRun = std::size_t{64} << 20;
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  const std::unique_ptr<std::byte, Free> data(
      static_cast<std::byte*>(std::aligned_alloc(4096, kLargest)));
  std::fill_n(data.get(), kLargest, std::byte{1});
  nlohmann::json rates = nlohmann::json::array();
  for (const std::size_t size :
       {std::size_t{16} << 10, std::size_t{256} << 10, std::size_t{640} << 10,
        std::size_t{1536} << 10, std::size_t{4} << 20, std::size_t{12} << 20, std::size_t{24} << 20,
        kLargest}) {
    const std::size_t times = std::max<std::size_t>(1, kBytesPerRun / size);
    const double rate = BestRate(static_cast<double>(size * times), [&] {
      for (std::size_t i = 0; i < times; ++i) {
        has_avx512 ? Read512(data.get(), size) : Read256(data.get(), size);
      }
    });
    rates.push_back({size, rate});
  }
  return rates;
}

nlohmann::json Peaks() {
  const kernels::CpuFeatures cpu = kernels::DetectCpuFeatures();
  nlohmann::json sets;
  constexpr double kN = kIterations;
  if (cpu.avx2) {
    sets["avx2"] = {{"f32_gflops", BestRate(kN * 12 * 16, MultiplyAddF32x8)},
                    {"int8_gops", cpu.avx_vnni ? BestRate(kN * 12 * 64, DotProductS8x32)
                                               : BestRate(kN * 8 * 32, MultiplyAddS16x16)}};
  }
  if (cpu.avx512_vnni) {
    sets["avx512vnni"] = {{"f32_gflops", BestRate(kN * 12 * 32, MultiplyAddF32x16)},
                          {"int8_gops", BestRate(kN * 12 * 128, DotProductS8x64)}};
    if (cpu.amx_int8 && kernels::RequestAmxPermission()) {
      sets["amx"] = {{"f32_gflops", sets["avx512vnni"]["f32_gflops"]},
                     {"int8_gops", BestRate(kN * 4 * 32768, DotProductTiles)}};
    }
  }
  return {{"kernel_set", sets}, {"read", ReadRates(cpu.avx512_vnni)}};
}

}  // namespace
}  // namespace octet::bench

int main() { std::cout << octet::bench::Peaks().dump() << std::endl; }
