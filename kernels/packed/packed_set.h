// SPDX-License-Identifier: Apache-2.0
// A KernelSet made of micro kernels. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/kernel_set.h"
#include "kernels/packed/attention.h"
#include "kernels/packed/conv2d.h"
#include "kernels/packed/matmul_f32.h"
#include "kernels/packed/matmul_s16.h"
#include "kernels/packed/matmul_s8.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

template <const MicroKernels& (*kMicro)()>
inline constexpr ReducedAttention kPackedAttentionBf16 = {
    .name = "attention_bf16",
    .run =
        [](const AttentionShape& shape, const float* query, const float* key, const float* value,
           float* out, std::span<std::byte> scratch) {
          RunAttentionBf16(kMicro(), shape, query, key, value, out, scratch.data());
        },
    .scratch_byte_size =
        [](const AttentionShape& shape) {
          return PackedAttentionBf16ScratchByteSize(kMicro(), shape);
        }};

// The set whose micro kernels are kMicro(). A constant: nothing runs before
// main().
template <const MicroKernels& (*kMicro)()>
// NOLINTNEXTLINE(readability-function-size): a list
constexpr KernelSet MakePackedSet(std::string_view name, bool (*runs_here)()) {
  KernelSet set = {};
  set.name = name;
  set.runs_here = runs_here;
  set.quantize_rows_s8 = [](const RowQuantizeSpec& spec, std::span<const float> in,
                            std::span<std::int8_t> out, std::span<float> row_scale) {
    kMicro().quantize_rows_s8(spec, in, out, row_scale);
  };
  set.quantize_s8 = [](Scale scale, ZeroPoint zero_point, std::span<const float> in,
                       std::span<std::int8_t> out) {
    kMicro().quantize_s8(scale, zero_point, in, out);
  };
  set.dequantize_s8 = [](Scale scale, ZeroPoint zero_point, std::span<const std::int8_t> in,
                         std::span<float> out) {
    kMicro().dequantize_s8(scale, zero_point, in, out);
  };
  set.requantize_s8 = [](const RequantizeSpec& spec, std::span<const std::int8_t> in,
                         std::span<std::int8_t> out) { kMicro().requantize_s8(spec, in, out); };
  set.quantize_s16 = [](Scale scale, std::span<const float> in, std::span<std::int16_t> out) {
    kMicro().quantize_s16(scale, in, out);
  };
  set.dequantize_s16 = [](Scale scale, std::span<const std::int16_t> in, std::span<float> out) {
    kMicro().dequantize_s16(scale, in, out);
  };
  set.prepare_matmul_s8 = [](const MatmulS8Spec& spec) {
    return PreparePackedMatmulS8(kMicro(), spec);
  };
  set.matmul_s8_implementations = [](const MatmulS8Spec& spec) {
    return PackedMatmulS8Implementations(kMicro(), spec);
  };
  set.prepare_matmul_s8s4 = [](const MatmulS8S4Spec& spec) {
    return PreparePackedMatmulS8S4(kMicro(), spec);
  };
  set.matmul_s8s4_implementations = [](const MatmulS8S4Spec& spec) {
    return PackedMatmulS8S4Implementations(kMicro(), spec);
  };
  set.prepare_matmul_s16 = [](const MatmulS16Spec& spec) {
    return PreparePackedMatmulS16(kMicro(), spec);
  };
  set.prepare_matmul_f32 = [](const MatmulF32Spec& spec) {
    return PreparePackedMatmulF32(kMicro(), spec);
  };
  set.prepare_matmul_weight_only = [](const MatmulWeightOnlySpec& spec) {
    return PreparePackedMatmulWeightOnly(kMicro(), spec);
  };
  set.batched_matmul_f32 = [](const BatchedMatmulF32Shape& shape, std::span<const float> lhs,
                              std::span<const float> rhs, std::span<float> out,
                              std::span<std::byte> scratch) {
    RunBatchedMatmulF32(kMicro(), shape, lhs.data(), rhs.data(), out.data(), scratch.data());
  };
  set.batched_matmul_f32_scratch_byte_size = [](const BatchedMatmulF32Shape& shape) {
    return PackedBatchedMatmulF32ScratchByteSize(kMicro(), shape);
  };
  set.attention_f32 = [](const AttentionShape& shape, const float* query, const float* key,
                         const float* value, float* out, std::span<std::byte> scratch) {
    RunAttentionF32(kMicro(), shape, query, key, value, out, scratch.data());
  };
  set.attention_f32_scratch_byte_size = [](const AttentionShape& shape) {
    return PackedAttentionF32ScratchByteSize(kMicro(), shape);
  };
  set.reduced_attention = []() -> const ReducedAttention* {
    return kMicro().bf16 == nullptr ? nullptr : &kPackedAttentionBf16<kMicro>;
  };
  set.prepare_conv2d_s8 = [](const Conv2dS8Spec& spec) {
    return PreparePackedConv2dS8(kMicro(), spec);
  };
  set.conv2d_s8_implementations = [](const Conv2dS8Spec& spec) {
    return PackedConv2dS8Implementations(kMicro(), spec);
  };
  set.prepare_conv2d_s16 = [](const Conv2dS16Spec& spec) {
    return PreparePackedConv2dS16(kMicro(), spec);
  };
  set.prepare_conv2d_f32 = [](const Conv2dF32Spec& spec) {
    return PreparePackedConv2dF32(kMicro(), spec);
  };
  set.pool2d_f32 = [](const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
                      std::span<const float> in, std::span<float> out) {
    kMicro().pool2d_f32(geometry, kind, num_images, in, out);
  };
  set.pool2d_s8 = [](const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
                     std::span<const std::int8_t> in, std::span<std::int8_t> out) {
    kMicro().pool2d_s8(geometry, kind, num_images, in, out);
  };
  set.pool2d_s16 = [](const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
                      std::span<const std::int16_t> in, std::span<std::int16_t> out) {
    kMicro().pool2d_s16(geometry, kind, num_images, in, out);
  };
  set.activation_f32 = [](const Activation& activation, std::span<const float> in,
                          std::span<float> out) { kMicro().activation_f32(activation, in, out); };
  set.lookup_s8 = [](std::span<const std::int8_t, 256> table, std::span<const std::int8_t> in,
                     std::span<std::int8_t> out) { kMicro().lookup_s8(table, in, out); };
  set.binary_f32 = [](BinaryKind kind, const BinaryShape& shape, const Activation& activation,
                      std::span<const float> a, std::span<const float> b, std::span<float> out) {
    kMicro().binary_f32(kind, shape, activation, a, b, out);
  };
  set.binary_s8 = [](BinaryKind kind, const BinaryShape& shape,
                     const BinaryQuantization& quantization, std::span<const std::int8_t> a,
                     std::span<const std::int8_t> b, std::span<std::int8_t> out) {
    kMicro().binary_s8(kind, shape, quantization, a, b, out);
  };
  set.binary_fixed_s8 = [](BinaryKind kind, const BinaryShape& shape,
                           const FixedBinaryQuantization& quantization,
                           std::span<const std::int8_t> a, std::span<const std::int8_t> b,
                           std::span<std::int8_t> out) {
    kMicro().binary_fixed_s8(kind, shape, quantization, a, b, out);
  };
  set.binary_fixed_s16 = [](BinaryKind kind, const BinaryShape& shape,
                            const FixedBinaryQuantization& quantization,
                            std::span<const std::int16_t> a, std::span<const std::int16_t> b,
                            std::span<std::int16_t> out) {
    kMicro().binary_fixed_s16(kind, shape, quantization, a, b, out);
  };
  set.binary_s16 = [](BinaryKind kind, const BinaryShape& shape,
                      const BinaryQuantization& quantization, std::span<const std::int16_t> a,
                      std::span<const std::int16_t> b, std::span<std::int16_t> out) {
    kMicro().binary_s16(kind, shape, quantization, a, b, out);
  };
  set.softmax_f32 = [](SoftmaxKind kind, const SoftmaxShape& shape, std::span<const float> in,
                       std::span<float> out) { kMicro().softmax_f32(kind, shape, in, out); };
  set.normalize_f32 = [](NormalizationKind kind, const NormalizationShape& shape, float epsilon,
                         std::span<const float> in, std::span<const float> gamma,
                         std::span<const float> beta, std::span<float> out) {
    kMicro().normalize_f32(kind, shape, epsilon, in, gamma, beta, out);
  };
  return set;
}

}  // namespace octet::kernels
