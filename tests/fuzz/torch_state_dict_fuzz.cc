// SPDX-License-Identifier: Apache-2.0
// State dicts: any bytes as a safetensors file of PyTorch's.

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "models/importers/torch/state_dict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto weights = octet::torch::ReadStateDict(std::as_bytes(std::span(data, size)));
  if (!weights.ok()) return 0;
  for (const auto& [name, weight] : *weights) {
    const auto* const quantized = std::get_if<octet::QuantizedConstant>(&weight);
    if (quantized == nullptr || quantized->data.bytes().size() > 4096) continue;
    octet::Moved(*quantized, quantized->data.dims(), {});
  }
  return 0;
}
