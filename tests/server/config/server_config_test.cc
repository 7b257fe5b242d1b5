// SPDX-License-Identifier: Apache-2.0

#include "server/config/server_config.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/octet/config/v1/config.pb.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""s;
using testing::AllOf;
using testing::HasSubstr;

class ServerConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / absl::StrCat("octet_server_config_", ::getpid());
    fs::create_directories(folder_ / "models");
    models_ = (folder_ / "models").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string WriteConfig(const std::string& text) {
    const fs::path path = folder_ / "octet.yaml";
    std::ofstream(path) << text;
    return path.string();
  }
  static absl::StatusOr<CommandLine> Parse(std::vector<std::string> arguments) {
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    return ParseCommandLine(pointers);
  }
  static std::string ErrorOf(std::vector<std::string> arguments) {
    const absl::StatusOr<CommandLine> line = Parse(std::move(arguments));
    return line.ok() ? "" : std::string(line.status().message());
  }

  fs::path folder_;
  std::string models_;
};

TEST_F(ServerConfigTest, OnlyTheRepositoryIsNeeded) {
  const absl::StatusOr<CommandLine> line = Parse({"--model-repository", models_});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->action, CommandLine::Action::kServe);
  EXPECT_EQ(line->config.model_repository, models_);
  EXPECT_EQ(line->config.grpc_address, "0.0.0.0:8001");
  EXPECT_EQ(line->config.http_address, "0.0.0.0:8000");
  EXPECT_EQ(line->config.metrics_address, "0.0.0.0:8002");
  EXPECT_EQ(line->config.max_request_bytes, 64U << 20);
  EXPECT_EQ(line->config.max_buffered_bytes, 1U << 30);
  EXPECT_EQ(line->config.drain_delay, 0s);
  EXPECT_EQ(line->config.tune_budget, 60s);
  EXPECT_EQ(line->config.workers, 0);
  EXPECT_EQ(line->config.attention_precision, AttentionPrecision::kFloat32);
}

TEST_F(ServerConfigTest, AttentionPrecisionIsAWord) {
  const auto precision = [this](std::vector<std::string> arguments) {
    arguments.push_back("--model-repository=" + models_);
    return Parse(std::move(arguments)).value().config.attention_precision;
  };
  const std::string file = WriteConfig("attention_precision: fastest\n");
  EXPECT_EQ(precision({"--attention-precision", "fastest"}), AttentionPrecision::kFastest);
  EXPECT_EQ(precision({"--config", file}), AttentionPrecision::kFastest);
  EXPECT_EQ(precision({"--config", file, "--attention-precision=float32"}),
            AttentionPrecision::kFloat32);
  EXPECT_EQ(ErrorOf({"--model-repository", models_, "--attention-precision", "bf16"}),
            "--attention-precision: got \"bf16\", wants \"float32\" or \"fastest\"");
}

TEST_F(ServerConfigTest, TakesBothFormsOfFlags) {
  const absl::StatusOr<CommandLine> line =
      Parse({"--model-repository=" + models_, "--grpc-address", "unix:/tmp/x", "--drain-delay=2s",
             "--max-request-bytes", "1MiB", "--workers", "2", "--http-address", "h:0",
             "--metrics-address", "h:0"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->config.grpc_address, "unix:/tmp/x");
  EXPECT_EQ(line->config.drain_delay, 2s);
  EXPECT_EQ(line->config.max_request_bytes, 1U << 20);
  EXPECT_EQ(line->config.workers, 2);
}

TEST_F(ServerConfigTest, AllErrorsComeAtOnceAndNameTheFlag) {
  const std::string error =
      ErrorOf({"--grpc-address", "x", "--drain-delay", "soon", "--bogus", "stray", "--workers"});
  EXPECT_THAT(error, AllOf(HasSubstr("--grpc-address: got \"x\", wants host:port"),
                           HasSubstr("--drain-delay: got \"soon\", wants a duration"),
                           HasSubstr("--bogus: unknown flag"), HasSubstr("got \"stray\""),
                           HasSubstr("--workers: wants a value"),
                           HasSubstr("--model-repository: missing")));
}

TEST_F(ServerConfigTest, ValuesOutOfRangeAreRefused) {
  EXPECT_THAT(ErrorOf({"--model-repository", models_ + "/none"}),
              HasSubstr("--model-repository: got"));
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--max-request-bytes", "1"}),
              HasSubstr("--max-request-bytes: got 1, wants 1024 to 2147483647 bytes"));
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--max-request-bytes", "4GiB"}),
              HasSubstr("--max-request-bytes"));
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--max-buffered-bytes", "255MiB"}),
              HasSubstr("--max-buffered-bytes: got 267386880, wants at least 268435456 bytes"));
  EXPECT_EQ(Parse({"--model-repository", models_, "--max-request-bytes", "1GiB"})
                ->config.max_buffered_bytes,
            4ULL << 30);
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--drain-delay", "2h"}),
              HasSubstr("--drain-delay: got 7200s, wants at most 3600s"));
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--tune-budget", "61m"}),
              HasSubstr("--tune-budget: got 3660s, wants at most 3600s"));
  EXPECT_EQ(Parse({"--model-repository", models_, "--tune-budget", "0"})->config.tune_budget, 0s);
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--workers", "4000000000"}),
              HasSubstr("--workers: wants 0 to 1024"));
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--http-address", "0.0.0.0:8001"}),
              HasSubstr("the address of --grpc-address too"));
}

TEST_F(ServerConfigTest, HttpHasLimits) {
  const auto parse = [this](const std::string& http) {
    return Parse({"--model-repository", models_, "--config",
                  WriteConfig(absl::StrCat("http: {", http, "}\n"))});
  };
  const HttpConfig usual = parse("")->config.http;
  EXPECT_EQ(usual.max_connections, 256U);
  EXPECT_EQ(usual.limits.max_header_bytes, 8U << 10);
  const auto line = parse(
      "max_connections: 9, max_header_bytes: 16KiB, header_timeout: 1.5s, idle_timeout: 2m, "
      "min_rate_bytes: 2KiB");
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->config.http.max_connections, 9U);
  EXPECT_EQ(line->config.http.limits.max_header_bytes, 16U << 10);
  EXPECT_EQ(line->config.http.limits.header_time, std::chrono::milliseconds(1500));
  EXPECT_EQ(line->config.http.limits.idle_time, 120s);
  EXPECT_EQ(line->config.http.limits.min_bytes_in_rate_time, 20U << 10);
  const auto wrong = parse(
      "max_connections: 0, max_header_bytes: 2MiB, header_timeout: 0s, idle_timeout: 2h, "
      "min_rate_bytes: 0");
  EXPECT_THAT(std::string(wrong.status().message()),
              AllOf(HasSubstr("http.max_connections: got 0, wants 1 to 65536"),
                    HasSubstr("http.max_header_bytes: got 2097152, wants 1024 to 1048576"),
                    HasSubstr("http.header_timeout: got 0ms, wants 100ms to 3600s"),
                    HasSubstr("http.idle_timeout: got 7200000ms"),
                    HasSubstr("http.min_rate_bytes: got 0, wants 1 to")));
}

TEST_F(ServerConfigTest, FlagsOverrideTheFile) {
  const std::string file =
      WriteConfig(absl::StrCat("model_repository: ", models_, "\ndrain_delay: 1.5s\nworkers: 7\n"));
  const absl::StatusOr<CommandLine> line = Parse({"--config", file, "--drain-delay", "2s"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->config.drain_delay, 2s);
  EXPECT_EQ(line->config.workers, 7);
}

TEST_F(ServerConfigTest, ErrorsOfTheFileNameFileAndKey) {
  const std::string file = WriteConfig("grpc_adress: a:1\nhttp_address: nowhere\n");
  const std::string error = ErrorOf({"--config=" + file, "--model-repository", models_});
  EXPECT_THAT(error, HasSubstr(file + ":1: grpc_adress: unknown key"));
  EXPECT_THAT(error, HasSubstr(file + ": http_address: got \"nowhere\""));
  EXPECT_THAT(ErrorOf({"--config", folder_ / "none.yaml", "--model-repository", models_}),
              HasSubstr("--config: cannot read"));
  EXPECT_THAT(ErrorOf({"--config", folder_.string(), "--model-repository", models_}),
              HasSubstr("--config: cannot read"));
}

TEST_F(ServerConfigTest, CheckConfigHelpAndVersion) {
  EXPECT_EQ(Parse({"--check-config", "--model-repository", models_})->action,
            CommandLine::Action::kCheckConfig);
  EXPECT_EQ(Parse({"--help"})->action, CommandLine::Action::kHelp);
  EXPECT_EQ(Parse({"--version"})->action, CommandLine::Action::kVersion);
  EXPECT_THAT(ErrorOf({"--help", "--bogus"}), HasSubstr("--bogus"));
}

TEST_F(ServerConfigTest, TheRepositoryIsWatchedUnlessItIsToldNotTo) {
  using std::chrono_literals::operator""s;
  EXPECT_EQ(Parse({"--model-repository", models_})->config.repository_poll, 1s);
  const auto off = Parse({"--model-repository", models_, "--repository-poll", "0"});
  EXPECT_EQ(off->config.repository_poll, 0s);
  EXPECT_FALSE(off->config.allow_management);
  EXPECT_TRUE(
      Parse({"--model-repository", models_, "--allow-management"})->config.allow_management);
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--repository-poll", "2h"}),
              HasSubstr("--repository-poll: got 7200s"));
}

TEST_F(ServerConfigTest, SharedMemoryIsOffUnlessItIsAllowed) {
  EXPECT_FALSE(Parse({"--model-repository", models_})->config.allow_shared_memory);
  const auto on = Parse(
      {"--model-repository", models_, "--allow-shared-memory", "--shared-memory-prefix", "mine_"});
  EXPECT_TRUE(on->config.allow_shared_memory);
  EXPECT_EQ(on->config.shared_memory_prefix, "mine_");
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--shared-memory-prefix", "mine_"}),
              HasSubstr("without --allow-shared-memory"));
  for (const char* const prefix : {"/mine", "a/b", "..", "a b", "sem.x"}) {
    EXPECT_THAT(ErrorOf({"--model-repository", models_, "--allow-shared-memory",
                         "--shared-memory-prefix", prefix}),
                HasSubstr("--shared-memory-prefix: got"));
  }
}

TEST_F(ServerConfigTest, ModelsHavePoliciesAndLabels) {
  const std::string file = WriteConfig(
      "models:\n"
      "  - name: digits\n"
      "    version_policy: latest 2\n"
      "    labels: {stable: 3, canary: 4}\n"
      "  - {name: other, version_policy: 'specific 1, 7'}\n");
  const auto line = Parse({"--model-repository", models_, "--config", file.c_str()});
  ASSERT_TRUE(line.ok()) << line.status();
  const SettingsOfModels& models = line->config.models;
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(ToString(models.at("digits").policy), "latest 2");
  EXPECT_EQ(models.at("digits").labels,
            (std::map<std::string, std::int64_t, std::less<>>{{"canary", 4}, {"stable", 3}}));
  EXPECT_EQ(ToString(models.at("other").policy), "specific 1, 7");
  EXPECT_THAT(ErrorOf({"--model-repository", models_, "--models", "digits"}),
              HasSubstr("--models: unknown flag"));
}

TEST_F(ServerConfigTest, WhatIsWrongWithModelsIsSaidWithItsPath) {
  const std::string file = WriteConfig(
      "models:\n"
      "  - {name: a, policies: all}\n"
      "  - {name: a/b}\n"
      "  - {name: c, version_policy: newest, labels: {7: 1, ok: 0, two: x}}\n"
      "  - {name: a}\n");
  const std::string errors = ErrorOf({"--model-repository", models_, "--config", file.c_str()});
  EXPECT_THAT(errors,
              HasSubstr(":2: models[0].policies: unknown key; known: name, version_policy"));
  EXPECT_THAT(errors, HasSubstr("models[1].name: got \"a/b\", wants a model's name"));
  EXPECT_THAT(errors, HasSubstr("models[2].version_policy: got \"newest\", wants \"all\""));
  EXPECT_THAT(errors, HasSubstr("models[2].labels: got \"7\", wants letters"));
  EXPECT_THAT(errors, HasSubstr("models[2].labels.ok: got 0, wants a version"));
  EXPECT_THAT(errors, HasSubstr(":4: models[2].labels.two: got \"x\", wants"));
  EXPECT_THAT(errors, HasSubstr("models[3].name: a is there twice"));
}

TEST(ServerConfigDocsTest, HelpAndDocsHaveEveryField) {
  std::ifstream file(OCTET_SOURCE_DIR "/docs/configuration.md");
  const std::string docs{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::string help = HelpText();
  const auto& type = *config::v1::ServerConfig::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const std::string& name = type.field(i)->name();
    const google::protobuf::Descriptor* const message = type.field(i)->message_type();
    const bool is_value = message == nullptr || message->full_name() == "google.protobuf.Duration";
    if (type.field(i)->is_repeated() || !is_value) {
      EXPECT_THAT(docs, HasSubstr(absl::StrCat("| `", name, "` | none |")));
      continue;
    }
    const std::string flag = absl::StrCat("--", absl::StrReplaceAll(name, {{"_", "-"}}));
    EXPECT_THAT(docs, HasSubstr(absl::StrCat("| `", name, "` | `", flag, "` |")));
    EXPECT_THAT(help, HasSubstr(flag + " ")) << flag;
  }
}

TEST(ServerConfigDocsTest, HelpFitsATerminal) {
  for (absl::string_view line : absl::StrSplit(HelpText(), '\n')) EXPECT_LE(line.size(), 110U);
}

}  // namespace
}  // namespace octet
