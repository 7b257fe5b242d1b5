// SPDX-License-Identifier: Apache-2.0
// Feeds bytes to the TensorFlow Lite importer.

#include <cstddef>
#include <cstdint>
#include <span>

#include "models/importers/tflite/tflite_importer.h"
#include "models/operators/operators.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const octet::OperatorRegistry operators = octet::BuiltInOperators();
  constexpr std::int64_t kLimit = 1 << 24;
  static_cast<void>(octet::tflite::TfliteImporter::ImportBytes(
      std::as_bytes(std::span(data, size)), {.operators = &operators, .max_byte_size = kLimit}));
  return 0;
}
