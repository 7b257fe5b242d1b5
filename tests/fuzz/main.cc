// SPDX-License-Identifier: Apache-2.0
// Replays a corpus without libFuzzer: each file under the folders given, and some deterministic
// changes of each. Fails by crashing.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kChangesPerFile = 25;

void RunOne(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string Change(std::string input, std::mt19937& random) {
  if (input.empty()) return input;
  for (std::uint32_t i = 0; i < 1 + random() % 4; ++i) {
    input[random() % input.size()] = static_cast<char>(random());
  }
  if (random() % 4 == 0) input.resize(random() % input.size() + 1);
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string input{std::istreambuf_iterator<char>(file), {}};
      // The seed is printed by name: a crash follows the name of its file.
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      RunOne(input);
      std::mt19937 random(static_cast<std::uint32_t>(input.size()));
      for (int change = 0; change < kChangesPerFile; ++change) RunOne(Change(input, random));
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files == 0 ? 1 : 0;
}
