// SPDX-License-Identifier: Apache-2.0
// The kernels as plain loops: the truth that every other set is tested against.
//
// Private to this room; each function's contract is that of its family's
// header.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/implementations.h"
#include "kernels/kernel_set.h"

namespace octet::kernels::reference {

extern const KernelSet kSet;

// The only name that a spec may ask for.
inline constexpr std::string_view kImplementation = "loops";

// Why a spec that asks for `implementation` is refused, or an empty string.
inline std::string CheckOnlyImplementation(std::string_view implementation) {
  if (implementation.empty()) return "";
  return CheckImplementation(implementation, {&kImplementation, 1});
}

void QuantizeRowsS8(const RowQuantizeSpec& spec, std::span<const float> in,
                    std::span<std::int8_t> out, std::span<float> row_scale);
void QuantizeS8(Scale scale, ZeroPoint zero_point, std::span<const float> in,
                std::span<std::int8_t> out);
void DequantizeS8(Scale scale, ZeroPoint zero_point, std::span<const std::int8_t> in,
                  std::span<float> out);
void RequantizeS8(const RequantizeSpec& spec, std::span<const std::int8_t> in,
                  std::span<std::int8_t> out);
void QuantizeS16(Scale scale, std::span<const float> in, std::span<std::int16_t> out);
void DequantizeS16(Scale scale, std::span<const std::int16_t> in, std::span<float> out);

Prepared<MatmulS8> PrepareMatmulS8(const MatmulS8Spec& spec);
Prepared<MatmulS8> PrepareMatmulS8S4(const MatmulS8S4Spec& spec);
Prepared<MatmulS16> PrepareMatmulS16(const MatmulS16Spec& spec);
Prepared<MatmulF32> PrepareMatmulF32(const MatmulF32Spec& spec);
Prepared<MatmulF32> PrepareMatmulWeightOnly(const MatmulWeightOnlySpec& spec);
void BatchedMatmulF32(const BatchedMatmulF32Shape& shape, std::span<const float> lhs,
                      std::span<const float> rhs, std::span<float> out,
                      std::span<std::byte> scratch);
std::size_t BatchedMatmulF32ScratchByteSize(const BatchedMatmulF32Shape& shape);

void AttentionF32(const AttentionShape& shape, const float* query, const float* key,
                  const float* value, float* out, std::span<std::byte> scratch);
std::size_t AttentionF32ScratchByteSize(const AttentionShape& shape);

Prepared<Conv2dS8> PrepareConv2dS8(const Conv2dS8Spec& spec);
Prepared<Conv2dS16> PrepareConv2dS16(const Conv2dS16Spec& spec);
Prepared<Conv2dF32> PrepareConv2dF32(const Conv2dF32Spec& spec);
void Pool2dF32(const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
               std::span<const float> in, std::span<float> out);
void Pool2dS8(const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
              std::span<const std::int8_t> in, std::span<std::int8_t> out);
void Pool2dS16(const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
               std::span<const std::int16_t> in, std::span<std::int16_t> out);

void ActivationF32(const Activation& activation, std::span<const float> in, std::span<float> out);
void LookupS8(std::span<const std::int8_t, 256> table, std::span<const std::int8_t> in,
              std::span<std::int8_t> out);
void BinaryF32(BinaryKind kind, const BinaryShape& shape, const Activation& activation,
               std::span<const float> a, std::span<const float> b, std::span<float> out);
void BinaryS8(BinaryKind kind, const BinaryShape& shape, const BinaryQuantization& quantization,
              std::span<const std::int8_t> a, std::span<const std::int8_t> b,
              std::span<std::int8_t> out);
void BinaryFixedS8(BinaryKind kind, const BinaryShape& shape,
                   const FixedBinaryQuantization& quantization, std::span<const std::int8_t> a,
                   std::span<const std::int8_t> b, std::span<std::int8_t> out);
void BinaryS16(BinaryKind kind, const BinaryShape& shape, const BinaryQuantization& quantization,
               std::span<const std::int16_t> a, std::span<const std::int16_t> b,
               std::span<std::int16_t> out);
void SoftmaxF32(SoftmaxKind kind, const SoftmaxShape& shape, std::span<const float> in,
                std::span<float> out);
void NormalizeF32(NormalizationKind kind, const NormalizationShape& shape, float epsilon,
                  std::span<const float> in, std::span<const float> gamma,
                  std::span<const float> beta, std::span<float> out);

void BinaryFixedS16(BinaryKind kind, const BinaryShape& shape,
                    const FixedBinaryQuantization& quantization, std::span<const std::int16_t> a,
                    std::span<const std::int16_t> b, std::span<std::int16_t> out);

// clip(round_half_even(value) + zero_point, lo, hi), for any value; NaN gives
// the zero point. Zero point and bounds are int16.
std::int32_t RoundAndClip(double value, std::int32_t zero_point, std::int32_t lo, std::int32_t hi);

// An Epilogue that owns its arrays.
class OwnedEpilogue {
 public:
  explicit OwnedEpilogue(const Epilogue& epilogue);

  // Finishes the sum `acc` of output channel j and stores it at `index` of
  // `out`. row_scale is used by kDynamic only.
  void Store(std::int32_t acc, float row_scale, std::size_t j, std::size_t index,
             const EpilogueOutput& out) const;

  // The same where the sum is float already, by group: kDynamic, multiply,
  // scale applied.
  void StoreScaled(float sum, float row_scale, std::size_t j, std::size_t index,
                   const EpilogueOutput& out) const;

  EpilogueKind kind() const { return epilogue_.kind; }
  std::size_t ByteSize() const;

 private:
  Epilogue epilogue_;  // its spans are the vectors below
  std::vector<std::int32_t> bias_s32_;
  std::vector<float> weight_scale_;
  std::vector<float> bias_f32_;
  std::vector<float> multiplier_;
  std::vector<FixedPointScale> fixed_;
};

// An EpilogueS16 that owns its arrays.
class OwnedEpilogueS16 {
 public:
  explicit OwnedEpilogueS16(const EpilogueS16& epilogue);

  // Finishes the sum `acc` of output channel j and stores it at `index` of `out`.
  void Store(std::int64_t acc, std::size_t j, std::size_t index,
             const EpilogueS16Output& out) const;
  std::size_t ByteSize() const { return 8 * bias_.size() + 8 * multiplier_.size(); }

 private:
  EpilogueS16 epilogue_;  // its spans are the vectors below
  std::vector<std::int64_t> bias_;
  std::vector<double> multiplier_;
};

}  // namespace octet::kernels::reference
