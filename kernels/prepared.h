// SPDX-License-Identifier: Apache-2.0
// What a kernel family with weights gives back from its prepare step.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace octet::kernels {

// Weights packed for one instruction set, with everything else that was decided
// at load.
//
// Immutable and safe to share between threads. Running it does arithmetic only:
// no allocation, no lock, no log. A thread that runs kernels calls
// PrepareThread() of kernel_set.h first.
class PreparedKernel {
 public:
  PreparedKernel() = default;
  PreparedKernel(const PreparedKernel&) = delete;
  PreparedKernel& operator=(const PreparedKernel&) = delete;
  virtual ~PreparedKernel() = default;

  // Who computes and with which kernel, for `octet inspect`: "avx2 matmul_s8s8
  // 16x2", "onednn brgconv:avx512_core". Constant for the object's life.
  virtual std::string_view Provider() const = 0;

  // Bytes held by packed weights and tables.
  virtual std::size_t PackedByteSize() const = 0;
};

// A prepared kernel, or why there is none: exactly one of the two is set.
template <typename T>
struct Prepared {
  std::unique_ptr<const T> kernel;
  std::string error;
};

// How the caller's weight matrix lies in memory.
enum class WeightLayout {
  kInputMajor,   // [k, n]: one row an input element (Keras, ONNX)
  kOutputMajor,  // [n, k]: one row an output channel (TFLite, PyTorch)
};

// The most values that a sum of an integer product is made of: `k`, or what one output of a
// convolution sees. Kernels count the bytes of some rows in 32 bits.
inline constexpr std::size_t kMostTerms = std::size_t{1} << 25;

// Every scratch span handed to a run must start at a multiple of this many
// bytes.
inline constexpr std::size_t kScratchAlignment = 64;

}  // namespace octet::kernels
