// SPDX-License-Identifier: Apache-2.0
// What the test of every kernel family needs: the sets, random values, scratch.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel_set.h"
#include "tests/kernels/emulated_sets.h"

namespace octet::kernels {

inline const KernelSet& Reference() { return *FindKernelSet("reference"); }

// All sets, and those that are emulated for this test.
inline std::vector<const KernelSet*> SetsUnderTest() {
  std::vector<const KernelSet*> sets(AllKernelSets().begin(), AllKernelSets().end());
  sets.insert(sets.end(), EmulatedKernelSets().begin(), EmulatedKernelSets().end());
  return sets;
}

inline std::string SetName(const testing::TestParamInfo<const KernelSet*>& set) {
  return std::string(set.param->name);
}

class KernelSetTest : public testing::TestWithParam<const KernelSet*> {
 protected:
  void SetUp() override {
    if (!set().runs_here()) GTEST_SKIP() << set().name << " does not run on this CPU";
    PrepareThread();
  }

  const KernelSet& set() const { return *GetParam(); }

  std::size_t Size(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random_);
  }
  std::vector<float> Floats(std::size_t size, float low, float high) {
    std::uniform_real_distribution<float> distribution(low, high);
    std::vector<float> values(size);
    for (float& value : values) value = distribution(random_);
    return values;
  }
  std::vector<double> Doubles(std::size_t size, double low, double high) {
    std::uniform_real_distribution<double> distribution(low, high);
    std::vector<double> values(size);
    for (double& value : values) value = distribution(random_);
    return values;
  }
  std::vector<std::int8_t> Bytes(std::size_t size, int low = -128, int high = 127) {
    std::uniform_int_distribution<int> distribution(low, high);
    std::vector<std::int8_t> values(size);
    for (std::int8_t& value : values) value = static_cast<std::int8_t>(distribution(random_));
    return values;
  }
  std::vector<std::int16_t> Shorts(std::size_t size, int low = -32768, int high = 32767) {
    std::uniform_int_distribution<int> distribution(low, high);
    std::vector<std::int16_t> values(size);
    for (std::int16_t& value : values) value = static_cast<std::int16_t>(distribution(random_));
    return values;
  }
  std::vector<std::int32_t> Integers(std::size_t size, int low, int high) {
    std::uniform_int_distribution<int> distribution(low, high);
    std::vector<std::int32_t> values(size);
    for (std::int32_t& value : values) value = distribution(random_);
    return values;
  }

  // Scratch of just that size, filled with bytes that no kernel may rely on.
  class Scratch {
   public:
    explicit Scratch(std::size_t size)
        : size_(size), data_(static_cast<std::byte*>(::operator new(size + 1, kAlignment))) {
      std::memset(data_, 0x5A, size);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { ::operator delete(data_, kAlignment); }
    std::span<std::byte> span() const { return {data_, size_}; }

   private:
    static constexpr std::align_val_t kAlignment{kScratchAlignment};
    const std::size_t size_;
    std::byte* const data_;
  };

  std::mt19937 random_{20261121};
};

// The largest |a - b|, as a share of the largest |b|.
inline float RelativeDifference(std::span<const float> a, std::span<const float> b) {
  float largest = 1e-30F;
  float difference = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    const float d = std::abs(a[i] - b[i]);
    if (!(d <= difference)) difference = d;  // takes a NaN as well
  }
  return difference / largest;
}

// Equal bit for bit, but for the payload of NaNs.
inline testing::AssertionResult SameBits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != a[i] && b[i] != b[i]) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) == 0) continue;
    return testing::AssertionFailure() << "[" << i << "]: " << a[i] << " and " << b[i];
  }
  return testing::AssertionSuccess();
}

#define OCTET_FOR_ALL_KERNEL_SETS(TestClass) \
  INSTANTIATE_TEST_SUITE_P(Sets, TestClass, testing::ValuesIn(SetsUnderTest()), SetName)

}  // namespace octet::kernels
