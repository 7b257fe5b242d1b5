// SPDX-License-Identifier: Apache-2.0

#include "server/repository/model_repository.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/evaluation.h"
#include "models/bundle/reader.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "server/repository/repository_loader.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A bundle whose self-test says what it computes: rows of zeros give the bias of its last layer.
Bundle RightBundle() {
  Bundle bundle = testing::SmallBundle();
  const std::span<float> outputs = bundle.self_test->outputs[0].as<float>();
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = i % 2 == 0 ? 0.5F : -0.25F;
  return bundle;
}

Bundle WrongBundle() {
  Bundle bundle = RightBundle();
  bundle.self_test->outputs[0].as<float>()[3] = 7.0F;
  return bundle;
}

class ModelRepositoryTest : public ::testing::Test {
 protected:
  ModelRepositoryTest()
      : operators_(BuiltInOperators()),
        metrics_({.num_workers = 1, .server_version = "test"}),
        loader_({.kernel_set_name = "reference"}, operators_, *kernels::FindKernelSet("reference"),
                metrics_) {}

  absl::Status LoadAll(std::function<void(const LoadOutcome&)> on_outcome = nullptr,
                       const std::function<bool()>& keep_going = nullptr) {
    return RepositoryLoader({.path = root_ / "", .on_outcome = std::move(on_outcome)},
                            {loader_, repository_, metrics_})
        .LoadAll(keep_going);
  }

  void Write(const Bundle& bundle, const std::string& path) {
    const absl::Status status = WriteBundle(bundle, root_ / path);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string ReasonOf(const std::string& name, const std::string& version) {
    for (const IndexEntry& entry : repository_.Index()) {
      if (entry.name == name && entry.version == version) return entry.reason;
    }
    return "no such entry";
  }

  testing::TemporaryDirectory root_;
  OperatorRegistry operators_;
  Metrics metrics_;
  BundleLoader loader_;
  ModelRepository repository_;
};

TEST_F(ModelRepositoryTest, NewestVersionServesUnlessOneIsNamed) {
  Write(RightBundle(), "m/2");
  Write(RightBundle(), "m/10.octet");
  ASSERT_TRUE(LoadAll().ok());
  const auto newest = repository_.Find("m", "");
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ((*newest)->version, 10);
  const auto named = repository_.Find("m", "2");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ((*named)->version_string, "2");
  EXPECT_EQ((*named)->precision, "int4");
  EXPECT_EQ((*named)->kernel_set, "reference");
  EXPECT_EQ((*named)->class_labels, (std::vector<std::string>{"no", "yes"}));
  EXPECT_EQ((*named)->digest.size(), 64U);
  ASSERT_EQ((*named)->executable->inputs().size(), 1U);
  EXPECT_EQ((*named)->executable->inputs()[0].name, "x");
  EXPECT_EQ(repository_.ReadyVersions().size(), 2U);
}

TEST_F(ModelRepositoryTest, BadBundleIsQuarantinedAndOthersServe) {
  Write(RightBundle(), "good/1");
  Write(RightBundle(), "damaged/1");
  std::filesystem::resize_file(root_ / "damaged/1/manifest.json", 10);
  Write(WrongBundle(), "wrong/1");
  std::vector<std::string> refused;
  ASSERT_TRUE(LoadAll([&refused](const LoadOutcome& outcome) {
                if (!outcome.handle) refused.push_back(outcome.name);
              }).ok());
  EXPECT_EQ(refused, (std::vector<std::string>{"damaged", "wrong"}));
  EXPECT_TRUE(repository_.Find("good", "").ok());
  const auto wrong = repository_.Find("wrong", "");
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(wrong.status().message()),
              HasSubstr("self-test: output \"y\" element 3: got -0.25, wants 7"));
  EXPECT_THAT(ReasonOf("damaged", "1"), HasSubstr("read: "));
  EXPECT_EQ(ReasonOf("good", "1"), "");
  const std::string scrape = metrics_.Scrape();
  EXPECT_THAT(scrape, HasSubstr("octet_model_load_failures_total{reason=\"self_test\"} 1\n"));
  EXPECT_THAT(scrape, HasSubstr("octet_model_load_failures_total{reason=\"read\"} 1\n"));
  EXPECT_THAT(scrape, HasSubstr("octet_models_loaded 1\n"));
}

TEST_F(ModelRepositoryTest, OlderVersionServesWhereTheNewestIsBad) {
  Write(RightBundle(), "m/1");
  Write(WrongBundle(), "m/2");
  ASSERT_TRUE(LoadAll().ok());
  EXPECT_EQ((*repository_.Find("m", ""))->version, 1);
  EXPECT_EQ(repository_.Find("m", "2").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ModelRepositoryTest, UnknownNamesAndVersions) {
  Write(RightBundle(), "m/1");
  std::filesystem::create_directories(root_ / "empty");
  ASSERT_TRUE(LoadAll().ok());
  EXPECT_EQ(repository_.Find("n", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_.Find("m", "3").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_.Find("m", "99999999999999999999").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_.Find("m", "latest").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(repository_.Find("m", "-1").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(repository_.Find("empty", "").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(repository_.Find("empty", "3").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(repository_.Find(std::string(1000, '\n'), "").status().message()),
              Not(HasSubstr("\n")));
}

TEST_F(ModelRepositoryTest, EvaluationCountsForItsOwnBundleOnly) {
  Write(RightBundle(), "m/1");
  const auto bundle = ReadBundle(root_ / "m/1");
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  ASSERT_TRUE(RecordEvaluation(root_ / "m/1", {.data_set = "digits",
                                               .samples = 360,
                                               .top1_accuracy = 0.975,
                                               .bundle_digest = bundle->digest})
                  .ok());
  ASSERT_TRUE(RecordEvaluation(root_ / "m/1", {.data_set = "other",
                                               .samples = 10,
                                               .top1_accuracy = 0.5,
                                               .bundle_digest = std::string(64, '0')})
                  .ok());
  std::vector<std::string> warnings;
  ASSERT_TRUE(
      LoadAll([&warnings](const LoadOutcome& outcome) { warnings = outcome.warnings; }).ok());
  EXPECT_EQ(warnings.size(), 1U);
  const auto handle = repository_.Find("m", "1");
  ASSERT_TRUE(handle.ok());
  ASSERT_EQ((*handle)->evaluations.size(), 1U);
  EXPECT_EQ((*handle)->evaluations[0].dataset, "digits");
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("dataset=\"digits\"} 0.975\n"));
}

TEST_F(ModelRepositoryTest, AVersionThatWaitsForItsTurnIsUnavailable) {
  Write(RightBundle(), "a/1");
  Write(RightBundle(), "b/1");
  std::vector<absl::StatusCode> codes;
  const auto look = [&](const LoadOutcome&) {
    codes.push_back(repository_.Find("b", "").status().code());
    codes.push_back(repository_.Find("c", "").status().code());
  };
  ASSERT_TRUE(LoadAll(look).ok());
  using Code = absl::StatusCode;
  EXPECT_EQ(codes, (std::vector{Code::kUnavailable, Code::kNotFound, Code::kOk, Code::kNotFound}));
}

TEST_F(ModelRepositoryTest, OfTwoEvaluationsOnOneDataSetTheLastCounts) {
  Write(RightBundle(), "m/1");
  const std::string digest = ReadBundle(root_ / "m/1")->digest;
  const auto evaluation = [&digest](const std::string& accuracy) {
    return "{\"data_set\": \"digits\", \"samples\": \"360\", \"top1_accuracy\": " + accuracy +
           ", \"bundle_digest\": \"" + digest + "\"}";
  };
  testing::WriteWhole(root_ / "m/1/evaluation.json",
                      "{\"evaluations\": [" + evaluation("0.5") + ", " + evaluation("0.75") + "]}");
  ASSERT_TRUE(LoadAll().ok());
  const std::vector<EvaluationFigure> figures = (*repository_.Find("m", "1"))->evaluations;
  ASSERT_EQ(figures.size(), 1U);
  EXPECT_EQ(figures[0].accuracy, 0.75);
}

TEST_F(ModelRepositoryTest, LoadingStopsWhenAsked) {
  Write(RightBundle(), "m/1");
  EXPECT_EQ(LoadAll(nullptr, [] { return false; }).code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(repository_.ReadyVersions().empty());
}

TEST_F(ModelRepositoryTest, AReadyVersionIsReplaced) {
  Write(RightBundle(), "good/1");
  Write(WrongBundle(), "bad/1");
  ASSERT_TRUE(LoadAll().ok());
  const ModelHandle before = *repository_.Find("good", "1");
  const auto after = std::make_shared<ModelVersion>(*before);
  ASSERT_TRUE(repository_.Replace(before, after).ok());
  EXPECT_EQ(*repository_.Find("good", ""), after);
  EXPECT_EQ(before.use_count(), 1) << "only who has it keeps it";
  EXPECT_TRUE(absl::IsNotFound(repository_.Replace(before, before))) << "it serves no more";
  for (const auto& [name, version] :
       {std::pair("good", 2), std::pair("bad", 1), std::pair("other", 1)}) {
    const auto stray = std::make_shared<ModelVersion>(*before);
    stray->name = name;
    stray->version = version;
    const absl::Status status = repository_.Replace(before, stray);
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
  EXPECT_EQ(repository_.ReadyVersions().size(), 1U);
}

TEST_F(ModelRepositoryTest, ALabelStandsForAVersion) {
  SettingsOfModels settings;
  settings["m"].labels = {{"stable", 2}, {"canary", 4}};
  ModelRepository repository(settings);
  const auto add = [&repository](std::int64_t number) {
    ModelVersion version;
    version.name = "m";
    version.version = number;
    repository.Publish(std::make_shared<const ModelVersion>(version));
  };
  add(2);
  add(3);
  EXPECT_EQ((*repository.Find("m", "stable"))->version, 2);
  EXPECT_EQ((*repository.Find("m", ""))->version, 3);
  EXPECT_EQ(repository.Find("m", "canary").status().code(), absl::StatusCode::kNotFound);
  add(4);
  EXPECT_EQ((*repository.Find("m", "canary"))->version, 4);
  const absl::Status unknown = repository.Find("m", "beta").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("or canary, stable"));
  EXPECT_EQ(repository.Find("other", "stable").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
