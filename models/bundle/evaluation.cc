// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/evaluation.h"

#include <cmath>
#include <filesystem>
#include <memory>
#include <unistd.h>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "models/base/status_macros.h"
#include "models/bundle/layout.h"
#include "models/bundle/mapped_file.h"
#include "proto/octet/bundle/v1/bundle.pb.h"

namespace octet {

namespace {

constexpr std::size_t kMaxSize = std::size_t{1} << 20;

std::string EvaluationPath(const std::string& bundle_path) {
  absl::string_view path = bundle_path;
  while (path.size() > 1 && absl::EndsWith(path, "/")) path.remove_suffix(1);
  std::error_code ignored;
  if (absl::EndsWith(path, kArchiveSuffix) &&
      !std::filesystem::is_directory(std::string(path), ignored)) {
    return absl::StrCat(absl::StripSuffix(path, kArchiveSuffix), ".", kEvaluationFile);
  }
  return absl::StrCat(path, "/", kEvaluationFile);
}

}  // namespace

absl::StatusOr<std::vector<Evaluation>> ReadEvaluations(const std::string& bundle_path) {
  const std::string path = EvaluationPath(bundle_path);
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  std::vector<Evaluation> evaluations;
  if (absl::IsNotFound(file.status())) return evaluations;
  if (!file.ok()) return file.status();
  bundle::v1::Evaluations message;
  RETURN_IF_ERROR(FromJson(path, (*file)->bytes(), kMaxSize, message));
  for (const bundle::v1::Evaluation& from : message.evaluations()) {
    if (from.data_set().empty() || from.samples() < 1 ||
        !(from.top1_accuracy() >= 0.0 && from.top1_accuracy() <= 1.0)) {
      return absl::DataLossError(
          absl::StrCat(path, ": data set \"", from.data_set(), "\" with ", from.samples(),
                       " samples and accuracy ", from.top1_accuracy(),
                       "; wants a name, at least 1 sample and an accuracy from 0 to 1"));
    }
    evaluations.push_back({.data_set = from.data_set(),
                           .samples = from.samples(),
                           .top1_accuracy = from.top1_accuracy(),
                           .bundle_digest = from.bundle_digest()});
  }
  return evaluations;
}

absl::Status RecordEvaluation(const std::string& bundle_path, const Evaluation& evaluation) {
  if (evaluation.data_set.empty() || evaluation.samples < 1 ||
      !(evaluation.top1_accuracy >= 0.0 && evaluation.top1_accuracy <= 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("evaluation on \"", evaluation.data_set, "\": ", evaluation.samples,
                     " samples, accuracy ", evaluation.top1_accuracy));
  }
  ASSIGN_OR_RETURN(std::vector<Evaluation> evaluations, ReadEvaluations(bundle_path));
  std::erase_if(evaluations,
                [&](const Evaluation& e) { return e.data_set == evaluation.data_set; });
  evaluations.push_back(evaluation);
  bundle::v1::Evaluations message;
  for (const Evaluation& from : evaluations) {
    bundle::v1::Evaluation& to = *message.add_evaluations();
    to.set_data_set(from.data_set);
    to.set_samples(from.samples);
    to.set_top1_accuracy(from.top1_accuracy);
    to.set_bundle_digest(from.bundle_digest);
  }
  ASSIGN_OR_RETURN(const std::string json, ToJson(message));
  const std::string path = EvaluationPath(bundle_path);
  const std::string temporary = absl::StrCat(path, ".tmp-", getpid());
  RETURN_IF_ERROR(WriteWholeFile(temporary, json));
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  return absl::UnavailableError(absl::StrCat("\"", path, "\": ", error.message()));
}

}  // namespace octet
