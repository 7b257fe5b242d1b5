// SPDX-License-Identifier: Apache-2.0
// The only door of this room: all kernels for one instruction set, and the list
// of the sets.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/conv2d.h"
#include "kernels/elementwise.h"
#include "kernels/matmul_f32.h"
#include "kernels/matmul_s16.h"
#include "kernels/matmul_s8.h"
#include "kernels/normalization.h"
#include "kernels/pooling.h"
#include "kernels/row_quantize.h"
#include "kernels/softmax.h"

namespace octet::kernels {

// Every member is set in every set of AllKernelSets(). A set where a family is
// not worth an own version uses a lesser set's.
struct KernelSet {
  std::string_view name;  // "reference", "avx2", "avx512vnni", "amx"

  // Whether this CPU, and for amx this process, may run it. For amx the first
  // call asks the operating system for the permission.
  bool (*runs_here)();

  QuantizeRowsS8 quantize_rows_s8;
  QuantizeS8 quantize_s8;
  DequantizeS8 dequantize_s8;
  RequantizeS8 requantize_s8;
  QuantizeS16 quantize_s16;
  DequantizeS16 dequantize_s16;

  PrepareMatmulS8 prepare_matmul_s8;
  MatmulS8Implementations matmul_s8_implementations;
  PrepareMatmulS8S4 prepare_matmul_s8s4;
  MatmulS8S4Implementations matmul_s8s4_implementations;
  PrepareMatmulS16 prepare_matmul_s16;
  PrepareMatmulF32 prepare_matmul_f32;
  PrepareMatmulWeightOnly prepare_matmul_weight_only;
  BatchedMatmulF32 batched_matmul_f32;
  BatchedMatmulF32ScratchByteSize batched_matmul_f32_scratch_byte_size;

  AttentionF32 attention_f32;
  AttentionF32ScratchByteSize attention_f32_scratch_byte_size;
  // Null where float32 is as fast on this CPU. Decided by its instructions alone.
  const ReducedAttention* (*reduced_attention)();

  PrepareConv2dS8 prepare_conv2d_s8;
  Conv2dS8Implementations conv2d_s8_implementations;
  PrepareConv2dS16 prepare_conv2d_s16;
  PrepareConv2dF32 prepare_conv2d_f32;
  Pool2dF32 pool2d_f32;
  Pool2dS8 pool2d_s8;
  Pool2dS16 pool2d_s16;

  ActivationF32 activation_f32;
  LookupS8 lookup_s8;
  BinaryF32 binary_f32;
  BinaryS8 binary_s8;
  BinaryFixedS8 binary_fixed_s8;
  BinaryFixedS16 binary_fixed_s16;
  BinaryS16 binary_s16;
  SoftmaxF32 softmax_f32;
  NormalizeF32 normalize_f32;
};

// The sets compiled in, best first, "reference" last. They live for the whole
// program.
std::span<const KernelSet* const> AllKernelSets();

// The set of that name, or null. It may not run here: ask runs_here().
const KernelSet* FindKernelSet(std::string_view name);

// The best set that runs here; never null.
const KernelSet* BestKernelSet();

// The set that `forced_name` names, or the best one if it is null or empty
// (callers pass getenv("OCTET_KERNEL_SET")). On an unknown name, or one that
// does not run here, `set` is null and `error` says what was got and what there
// is.
struct KernelSetSelection {
  const KernelSet* set = nullptr;
  std::string error;
};
KernelSetSelection SelectKernelSet(const char* forced_name);

// To be called once by each thread before it prepares or runs kernels: keeps
// oneDNN from starting threads of its own (it calls omp_set_num_threads(1),
// which is a per-thread setting).
void PrepareThread();

// The oneDNN that is linked in: "3.7.2".
std::string OneDnnVersion();

}  // namespace octet::kernels
