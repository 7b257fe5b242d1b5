// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <vector>

#include "kernels/reference/reference.h"
#include "kernels/validation.h"

namespace octet::kernels::reference {
namespace {

// There is one way only.
std::vector<std::string_view> Implementations(const std::string& error) {
  if (!error.empty()) return {};
  return {kImplementation};
}

}  // namespace

const KernelSet kSet = {
    .name = "reference",
    .runs_here = [] { return true; },
    .quantize_rows_s8 = QuantizeRowsS8,
    .quantize_s8 = QuantizeS8,
    .dequantize_s8 = DequantizeS8,
    .requantize_s8 = RequantizeS8,
    .quantize_s16 = QuantizeS16,
    .dequantize_s16 = DequantizeS16,
    .prepare_matmul_s8 = PrepareMatmulS8,
    .matmul_s8_implementations =
        [](const MatmulS8Spec& spec) { return Implementations(CheckMatmulS8(spec)); },
    .prepare_matmul_s8s4 = PrepareMatmulS8S4,
    .matmul_s8s4_implementations =
        [](const MatmulS8S4Spec& spec) { return Implementations(CheckMatmulS8S4(spec)); },
    .prepare_matmul_s16 = PrepareMatmulS16,
    .prepare_matmul_f32 = PrepareMatmulF32,
    .prepare_matmul_weight_only = PrepareMatmulWeightOnly,
    .batched_matmul_f32 = BatchedMatmulF32,
    .batched_matmul_f32_scratch_byte_size = BatchedMatmulF32ScratchByteSize,
    .attention_f32 = AttentionF32,
    .attention_f32_scratch_byte_size = AttentionF32ScratchByteSize,
    .reduced_attention = []() -> const ReducedAttention* { return nullptr; },
    .prepare_conv2d_s8 = PrepareConv2dS8,
    .conv2d_s8_implementations =
        [](const Conv2dS8Spec& spec) { return Implementations(CheckConv2dS8(spec)); },
    .prepare_conv2d_s16 = PrepareConv2dS16,
    .prepare_conv2d_f32 = PrepareConv2dF32,
    .pool2d_f32 = Pool2dF32,
    .pool2d_s8 = Pool2dS8,
    .pool2d_s16 = Pool2dS16,
    .activation_f32 = ActivationF32,
    .lookup_s8 = LookupS8,
    .binary_f32 = BinaryF32,
    .binary_s8 = BinaryS8,
    .binary_fixed_s8 = BinaryFixedS8,
    .binary_fixed_s16 = BinaryFixedS16,
    .binary_s16 = BinaryS16,
    .softmax_f32 = SoftmaxF32,
    .normalize_f32 = NormalizeF32,
};

}  // namespace octet::kernels::reference
