// SPDX-License-Identifier: Apache-2.0
// A folder with the files that TLS and tokens come in, gone with the object.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/certificates.h"

namespace octet::testing {

class CredentialFolder {
 public:
  CredentialFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "octet.XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~CredentialFolder() { std::filesystem::remove_all(path_); }
  CredentialFolder(const CredentialFolder&) = delete;
  CredentialFolder& operator=(const CredentialFolder&) = delete;

  // The path of a file of that name.
  [[nodiscard]] std::string Path(const std::string& name) const { return (path_ / name).string(); }
  // Writes it, for its owner alone. Returns its path.
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    std::filesystem::permissions(
        path_ / name, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return Path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace octet::testing
