// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/writer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <span>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/bundle/graph_codec.h"
#include "models/bundle/layout.h"
#include "models/bundle/reader.h"
#include "models/bundle/safetensors.h"
#include "models/bundle/sha256.h"
#include "models/bundle/zip_archive.h"
#include "proto/octet/bundle/v1/bundle.pb.h"

namespace octet {

namespace {

namespace fs = std::filesystem;

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

absl::Status FileSystemError(const std::string& path, const std::error_code& error) {
  const std::string message = absl::StrCat("\"", path, "\": ", error.message());
  return error == std::errc::permission_denied ? absl::PermissionDeniedError(message)
                                               : absl::UnavailableError(message);
}

// Whether every reference of the graph is to a value that it has.
absl::Status CheckReferences(const Graph& graph) {
  const auto count = static_cast<ValueId>(graph.values.size());
  const auto check = [count](absl::string_view user, const std::vector<ValueId>& ids,
                             ValueId lowest) {
    for (const ValueId id : ids) {
      if (id < lowest || id >= count) {
        return absl::InvalidArgumentError(
            absl::StrCat(user, " refers to value ", id, " of ", count));
      }
    }
    return absl::OkStatus();
  };
  for (const Node& node : graph.nodes) {
    const std::string user = absl::StrCat("node \"", node.name, "\"");
    RETURN_IF_ERROR(check(user, node.inputs, kNoValue));
    RETURN_IF_ERROR(check(user, node.outputs, 0));
  }
  RETURN_IF_ERROR(check("the list of inputs", graph.inputs, 0));
  return check("the list of outputs", graph.outputs, 0);
}

absl::StatusOr<std::string> EncodeSelfTest(const SelfTest& test) {
  std::vector<NamedSafetensorsEntry> tensors;
  const auto add = [&tensors](absl::string_view prefix, const std::vector<Tensor>& from) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      tensors.push_back(
          {absl::StrCat(prefix, ".", i), {from[i].data_type(), from[i].dims(), from[i].bytes()}});
    }
  };
  add("input", test.inputs);
  add("output", test.outputs);
  return WriteSafetensors(tensors);
}

// The files of the bundle by name, the manifest included.
absl::StatusOr<std::map<std::string, std::string>> EncodeFiles(const Bundle& bundle) {
  RETURN_IF_ERROR(CheckReferences(bundle.graph));
  std::map<std::string, std::string> files;
  TensorTable table;
  // The layers first: their variables decide the type and shape under which bytes are stored.
  const bundle::v1::Layers layers = EncodeLayers(bundle.layers, table);
  const bundle::v1::Graph graph = EncodeGraph(bundle.graph, table);
  ASSIGN_OR_RETURN(files[std::string(kLayersFile)], ToJson(layers));
  ASSIGN_OR_RETURN(files[std::string(kGraphFile)], ToJson(graph));
  ASSIGN_OR_RETURN(files[std::string(kWeightsFile)], WriteSafetensors(table.tensors()));

  bundle::v1::Manifest manifest;
  manifest.set_format_version(kBundleFormatVersion);
  manifest.set_producer("octet");
  manifest.mutable_source()->set_framework(bundle.source.framework);
  manifest.mutable_source()->set_version(bundle.source.version);
  manifest.mutable_source()->set_file_sha256(bundle.source.file_sha256);
  manifest.set_precision(bundle.precision);
  for (const std::string& label : bundle.class_labels) manifest.add_class_labels(label);
  if (bundle.self_test.has_value()) {
    ASSIGN_OR_RETURN(files[std::string(kTestsFile)], EncodeSelfTest(*bundle.self_test));
    manifest.mutable_self_test()->set_tolerance(bundle.self_test->tolerance);
  }
  for (const auto& [name, content] : files) {
    bundle::v1::File& file = *manifest.add_files();
    file.set_path(name);
    file.set_bytes(static_cast<std::int64_t>(content.size()));
    file.set_sha256(Sha256Hex(AsBytes(content)));
  }
  ASSIGN_OR_RETURN(files[std::string(kManifestFile)], ToJson(manifest));
  return files;
}

absl::Status WriteTemporary(const std::map<std::string, std::string>& files,
                            const std::string& path, bool is_archive) {
  if (is_archive) {
    std::vector<NamedBytes> members;
    for (const auto& [name, content] : files) members.emplace_back(name, AsBytes(content));
    ASSIGN_OR_RETURN(const std::string archive, WriteStoredZip(members));
    return WriteWholeFile(path, archive);
  }
  std::error_code error;
  if (!fs::create_directory(path, error)) return FileSystemError(path, error);
  for (const auto& [name, content] : files) {
    RETURN_IF_ERROR(WriteWholeFile(absl::StrCat(path, "/", name), content));
  }
  return absl::OkStatus();
}

// Whether `path` is something that looks like a bundle, so that replacing it is no accident.
bool IsBundle(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return fs::exists(path / kManifestFile.data(), ignored);
  return fs::is_regular_file(path, ignored) && absl::EndsWith(path.string(), kArchiveSuffix);
}

// Puts `temporary` in the place of `path`, as one step where the file system can.
absl::Status MoveIntoPlace(const std::string& temporary, const std::string& path,
                           WriteOptions::IfExists if_exists) {
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  std::error_code error;
  const bool exists = fs::exists(fs::symlink_status(path, error));
  if (exists && if_exists == WriteOptions::IfExists::kRefuse) {
    return absl::AlreadyExistsError(absl::StrCat("\"", path, "\" is already there"));
  }
  if (exists &&
      renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    return absl::OkStatus();  // the caller removes `temporary`, which is the old bundle now
  }
  // A file system without these flags: the old bundle goes first.
  if (exists) fs::remove_all(path, error);
  fs::rename(temporary, path, error);
  return error ? FileSystemError(path, error) : absl::OkStatus();
}

absl::Status Write(const Bundle& bundle, const std::string& path, const WriteOptions& options) {
  std::error_code error;
  const fs::path target(path);
  if (fs::exists(fs::symlink_status(target, error))) {
    if (options.if_exists == WriteOptions::IfExists::kRefuse) {
      return absl::AlreadyExistsError("something is already there");
    }
    if (!IsBundle(target)) {
      return absl::AlreadyExistsError("what is there is not a bundle, so it is not replaced");
    }
  }
  const bool is_archive = absl::EndsWith(path, kArchiveSuffix);
  absl::StatusOr<std::map<std::string, std::string>> files = EncodeFiles(bundle);
  if (!files.ok()) return files.status();
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  fs::create_directories(parent, error);
  if (error) return FileSystemError(parent.string(), error);
  // A name that no model repository takes for a version.
  const std::string temporary =
      (parent / absl::StrCat(".", target.filename().string(), ".tmp-", getpid())).string();
  fs::remove_all(temporary, error);
  absl::Status status = WriteTemporary(*files, temporary, is_archive);
  // What its reader would refuse is not worth having.
  if (status.ok()) {
    status = ReadBundle(temporary, {.layer_orders = options.layer_orders}).status();
  }
  if (status.ok()) status = MoveIntoPlace(temporary, path, options.if_exists);
  fs::remove_all(temporary, error);
  return status;
}

}  // namespace

absl::Status WriteBundle(const Bundle& bundle, const std::string& path,
                         const WriteOptions& options) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const absl::Status status = Write(bundle, trimmed, options);
  return status.ok() ? status : Annotate(status, absl::StrCat("bundle \"", path, "\""));
}

}  // namespace octet
