// SPDX-License-Identifier: Apache-2.0
// Feeds bytes to the Keras importer: as a file, as the configuration and as the weights of an
// otherwise good one.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "models/bundle/zip_archive.h"
#include "models/importers/keras/archive.h"
#include "models/importers/keras/keras_importer.h"
#include "models/operators/operators.h"

// libhdf5 asks for as many bytes as a damaged file says, and copes with getting none; so should
// the sanitizer's allocator.
extern "C" const char* __asan_default_options() {  // NOLINT: the sanitizer's name for it
  return "allocator_may_return_null=1";
}
// What it had allocated before it found the damage it sometimes forgets.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT: as above
  return "leak:libhdf5";
}

namespace octet::keras {
namespace {

constexpr std::int64_t kLimit = 1 << 24;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Host {
  Host() : operators(BuiltInOperators()) {
    std::ifstream file("tests/golden/keras/3.15.1/mlp_int8.keras", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (auto read = ReadKerasArchive(BytesOf(bytes), kLimit); read.ok()) {
      archive = *std::move(read);
    }
  }

  void Import(std::span<const std::byte> bytes) const {
    static_cast<void>(
        importer.ImportBytes(bytes, {.operators = &operators, .max_byte_size = kLimit}));
  }
  void ImportMembers(std::span<const std::byte> config, std::span<const std::byte> weights) const {
    const auto zip = WriteStoredZip({{"config.json", config}, {"model.weights.h5", weights}});
    if (zip.ok()) Import(BytesOf(*zip));
  }

  OperatorRegistry operators;
  KerasImporter importer;
  KerasArchive archive;
};

}  // namespace
}  // namespace octet::keras

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const octet::keras::Host host;
  const auto bytes = std::as_bytes(std::span(data, size));
  host.Import(bytes);
  host.ImportMembers(bytes, host.archive.weights);
  host.ImportMembers(octet::keras::BytesOf(host.archive.config_json), bytes);
  return 0;
}
