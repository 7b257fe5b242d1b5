// SPDX-License-Identifier: Apache-2.0
// Feeds bytes to everything in models/bundle that reads bytes: as an archive, as safetensors, and
// as each of the files inside an otherwise good archive.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

#include "models/bundle/reader.h"
#include "models/bundle/safetensors.h"
#include "models/bundle/sha256.h"
#include "models/bundle/writer.h"
#include "models/bundle/zip_archive.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using testing::ReadWhole;
using testing::WriteWhole;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// The bundle into which the input is put, one file at a time.
class Host {
 public:
  Host() : path_(directory_ / "1") {
    if (!WriteBundle(testing::SmallBundle(), path_).ok()) std::abort();
    for (const char* const name : {"graph.json", "layers.json", "manifest.json",
                                   "tests.safetensors", "weights.safetensors"}) {
      files_[name] = ReadWhole(path_ + "/" + name);
    }
  }

  // Reads the bundle with `input` as its file `name`, which the manifest vouches for.
  void ReadWith(const std::string& name, const std::string& input) {
    std::map<std::string, std::string> files = files_;
    std::string& manifest = files["manifest.json"];
    if (name != "manifest.json") {
      const std::string old_hash = Sha256Hex(BytesOf(files[name]));
      manifest.replace(manifest.find(old_hash), old_hash.size(), Sha256Hex(BytesOf(input)));
      const std::size_t field = manifest.find("\"bytes\"", manifest.find(name));
      const std::size_t begin = manifest.find('"', field + 7) + 1;
      manifest.replace(begin, manifest.find('"', begin) - begin, std::to_string(input.size()));
    }
    files[name] = input;
    std::vector<NamedBytes> members;
    for (const auto& [file, bytes] : files) members.emplace_back(file, BytesOf(bytes));
    const auto archive = WriteStoredZip(members);
    if (!archive.ok()) return;
    WriteWhole(directory_ / "2.octet", *archive);
    static_cast<void>(ReadBundle(directory_ / "2.octet"));
  }

  void ReadArchive(const std::string& input) {
    WriteWhole(directory_ / "2.octet", input);
    static_cast<void>(ReadBundle(directory_ / "2.octet"));
  }

  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }

 private:
  testing::TemporaryDirectory directory_;
  std::string path_;
  std::map<std::string, std::string> files_;
};

}  // namespace
}  // namespace octet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static octet::Host host;
  const std::string input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(octet::ReadSafetensors(octet::BytesOf(input)));
  static_cast<void>(octet::ReadStoredZip(octet::BytesOf(input)));
  host.ReadArchive(input);
  for (const auto& [name, bytes] : host.files()) host.ReadWith(name, input);
  return 0;
}
