// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_loader.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/reader.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "server/inference/inference_service.h"
#include "server/repository/store_watcher.h"
#include "tests/support/fake_event_source.h"
#include "tests/support/fake_requests.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::FakeCompletion;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Outcome;

// Rows of zeros give `first` and -0.25; its self-test says so.
Bundle BundleThatAnswers(float first, bool is_right = true) {
  Bundle bundle = testing::SmallBundle();
  const ConstantTensor bias =
      ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{first, -0.25F});
  for (Value& value : bundle.graph.values) {
    if (value.name == "second/bias") value.constant = bias;
  }
  bundle.layers[1].variables[1].tensor = bias;
  const std::span<float> outputs = bundle.self_test->outputs[0].as<float>();
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = i % 2 == 0 ? first : -0.25F;
  if (!is_right) outputs[3] = 7;
  return bundle;
}

// Lets go of the answer once it is written down, as a front end does when its bytes have left.
class ForgetfulCompletion final : public Completion {
 public:
  explicit ForgetfulCompletion(std::shared_ptr<Outcome> outcome)
      : outcome_(std::move(outcome)), completion_(outcome_, /*is_cancelled=*/false) {}
  void Complete(absl::StatusOr<InferenceAnswer> answer) override {
    completion_.Complete(std::move(answer));
    outcome_->answer = {};
  }

 private:
  const std::shared_ptr<Outcome> outcome_;
  FakeCompletion completion_;
};

class RepositoryLoaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    scheduler_.Start(events_);
    service_.SetState(ServerState::kServing);
  }
  void TearDown() override {
    loader_.reset();
    events_.ShutDown();
    scheduler_.Join();
  }

  // The loader without its thread, and with the test's clock.
  void MakeLoader(SettingsOfModels settings = {}) {
    MakeLoader(std::move(settings), {}, [this] { return now_.load(); });
  }
  void MakeLoader(SettingsOfModels settings, LoadTimes times, std::function<nanoseconds()> now) {
    RepositoryLoader::Options options{
        .path = root_ / "",
        .models = std::move(settings),
        .times = times,
        .on_outcome = [this](const LoadOutcome& outcome) {
          outcomes_.push_back(outcome.name + ":" + outcome.version + (outcome.handle ? "+" : "-"));
        }};
    if (now) options.now = std::move(now);
    loader_.emplace(std::move(options),
                    RepositoryLoader::Rooms{bundle_loader_, repository_, metrics_, &scheduler_});
  }
  // What a watcher and the thread would do, at a time that is `later`.
  void Look(nanoseconds later = 0s) {
    now_ = now_.load() + later;
    loader_->SetListing(ListStore(root_ / "").value());
    loader_->Turn();
    while (loader_->Turn().value_or(nanoseconds::max()) <= now_.load()) {
    }
  }

  void Write(const Bundle& bundle, const std::string& path) { WriteTo(bundle, root_ / path); }
  static void WriteTo(const Bundle& bundle, const std::string& path) {
    const absl::Status status =
        WriteBundle(bundle, path, {.if_exists = WriteOptions::IfExists::kReplace});
    ASSERT_TRUE(status.ok()) << status;
  }
  // Over what is there, at a time of its own: the clock of files is slower than a test.
  void Put(const std::string& path, const std::string& bytes) {
    testing::WriteWhole(path, bytes);
    fs::last_write_time(path, fs::file_time_type(std::chrono::seconds(++num_puts_)));
  }
  IndexEntry Entry(const std::string& name, const std::string& version) {
    for (IndexEntry& entry : repository_.Index()) {
      if (entry.name == name && entry.version == version) return entry;
    }
    return {};
  }
  std::string StateOf(const std::string& name, const std::string& version) {
    const IndexEntry entry = Entry(name, version);
    return entry.name == name ? VersionStateName(entry.state) : "";
  }
  std::int64_t Newest(const std::string& name) {
    const absl::StatusOr<ModelHandle> model = repository_.Find(name, "");
    return model.ok() ? (*model)->version : 0;
  }

  std::shared_ptr<Outcome> Send(const std::string& model) {
    auto outcome = std::make_shared<Outcome>();
    auto request =
        std::make_shared<std::unique_ptr<InferenceRequest>>(std::make_unique<InferenceRequest>());
    (*request)->model_name = model;
    (*request)->inputs = {{"x", "FP32", {1, 4}, std::as_bytes(std::span(zeros_))}};
    (*request)->arrival = std::chrono::steady_clock::now();
    (*request)->completion = std::make_unique<ForgetfulCompletion>(outcome);
    events_.Post(
        [this, request](std::size_t worker) { service_.Infer(worker, std::move(*request)); });
    return outcome;
  }
  bool AwaitAnswers() {
    const TimePoint until = std::chrono::steady_clock::now() + 60s;
    return events_.AwaitIdle(until) && service_.gate().WaitUntilEmpty(until);
  }
  std::optional<float> Ask(const std::string& model) {
    const auto outcome = Send(model);
    EXPECT_TRUE(AwaitAnswers());
    if (!outcome->status.ok()) return std::nullopt;
    return outcome->values.at(0);
  }

  testing::TemporaryDirectory root_;
  testing::TemporaryDirectory elsewhere_;
  int num_puts_ = 0;
  const OperatorRegistry operators_ = BuiltInOperators();
  Metrics metrics_{{.num_workers = Scheduler::NumWorkers(2), .server_version = "test"}};
  BundleLoader bundle_loader_{
      {.kernel_set_name = "reference"}, operators_, *kernels::FindKernelSet("reference"), metrics_};
  ModelRepository repository_;
  testing::FakeEventSource events_;
  Scheduler scheduler_{{.compute_threads = 2}, metrics_};
  InferenceService service_{repository_, scheduler_, metrics_};
  std::atomic<nanoseconds> now_ = nanoseconds(1000s);
  std::vector<std::string> outcomes_;
  std::vector<float> zeros_ = std::vector<float>(4);
  std::optional<RepositoryLoader> loader_;
};

TEST_F(RepositoryLoaderTest, ABundleIsServedAsAWholeWhateverTheOrderOfItsFiles) {
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  WriteTo(BundleThatAnswers(1), elsewhere_ / "whole");
  std::vector<std::string> files(BundleFileNames().begin(), BundleFileNames().end());
  std::sort(files.begin(), files.end());
  int version = 0;
  do {
    const std::string folder = root_ / "m/" + std::to_string(++version);
    fs::create_directories(folder);
    for (const std::string& file : files) {
      const std::string bytes = testing::ReadWhole(elsewhere_ / "whole/" + file);
      // Half of it, then as many bytes as it is to have, but other ones, and then it.
      for (const std::string& half :
           {bytes.substr(0, bytes.size() / 2), std::string(bytes.size(), 'x')}) {
        Put(folder + "/" + file, half);
        Look(300ms);
        ASSERT_EQ(StateOf("m", std::to_string(version)), "LOADING") << file;
      }
      Put(folder + "/" + file, bytes);
      if (file != files.back()) Look(300ms);
    }
    Look(300ms);
    ASSERT_EQ(StateOf("m", std::to_string(version)), "READY")
        << Entry("m", std::to_string(version)).reason;
    fs::remove_all(folder);
    Look();
    Look(2s);
  } while (std::next_permutation(files.begin(), files.end()));
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_model_load_failures_total{reason=\"read\"} 0\n"));
  for (const std::string& outcome : outcomes_) EXPECT_THAT(outcome, HasSubstr("+")) << outcome;
}

TEST_F(RepositoryLoaderTest, WhatStaysBrokenIsRefusedOnceItIsStillAndTriedWhenItChanges) {
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  Write(BundleThatAnswers(1), "m/1");
  const std::string manifest = root_ / "m/1/manifest.json";
  const std::string bytes = testing::ReadWhole(manifest);
  testing::WriteWhole(manifest, bytes.substr(0, 20));
  Look();
  EXPECT_EQ(StateOf("m", "1"), "LOADING");
  EXPECT_THAT(Entry("m", "1").reason, HasSubstr("not whole yet"));
  EXPECT_EQ(repository_.Find("m", "").status().code(), absl::StatusCode::kUnavailable);
  Look(4s);
  EXPECT_EQ(StateOf("m", "1"), "LOADING");
  EXPECT_THAT(outcomes_, IsEmpty());
  Look(2s);
  EXPECT_EQ(StateOf("m", "1"), "UNAVAILABLE");
  EXPECT_THAT(Entry("m", "1").reason, HasSubstr("read: "));
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"m:1-"}));
  Look(100s);
  EXPECT_EQ(outcomes_.size(), 1U) << "it is tried once";
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_model_ready{model=\"m\",version=\"1\""));

  testing::WriteWhole(manifest, bytes);
  Look(1s);
  EXPECT_EQ(StateOf("m", "1"), "READY");
  EXPECT_EQ(Entry("m", "1").reason, "");
  EXPECT_EQ(Ask("m"), 1);
  EXPECT_THAT(metrics_.Scrape(), Not(HasSubstr("version=\"1\",precision=\"\"")));
}

TEST_F(RepositoryLoaderTest, AVersionIsReplacedInPlaceAndTheOldOneIsFreed) {
  Write(BundleThatAnswers(1), "m/1");
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  EXPECT_EQ(Ask("m"), 1);
  ModelHandle held = *repository_.Find("m", "");
  const std::weak_ptr<const Executable> old = held->executable;
  const ModelMetrics* const counted_in = held->metrics.get();

  WriteTo(BundleThatAnswers(2), elsewhere_ / "new");
  // File by file over what is there, as `cp` does it.
  for (const auto& file : fs::directory_iterator(elsewhere_ / "new")) {
    Put(root_ / "m/1/" + file.path().filename().string(), testing::ReadWhole(file.path()));
    Look(300ms);
    const std::optional<float> answer = Ask("m");
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(*answer == 1 || *answer == 2) << *answer;
  }
  Look(300ms);
  EXPECT_EQ(Ask("m"), 2);
  EXPECT_EQ((*repository_.Find("m", ""))->metrics.get(), counted_in);
  EXPECT_FALSE(old.expired()) << "a handle keeps it";
  held.reset();
  Look(1s);
  EXPECT_TRUE(old.expired());
}

TEST_F(RepositoryLoaderTest, TouchedFilesOfTheSameBundleAreLoadedByNobody) {
  Write(BundleThatAnswers(1), "m/1");
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  const ModelHandle before = *repository_.Find("m", "");
  fs::last_write_time(root_ / "m/1/graph.json", fs::file_time_type::clock::now() + 10s);
  Look(1s);
  EXPECT_EQ(*repository_.Find("m", ""), before);
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"m:1+"}));
}

TEST_F(RepositoryLoaderTest, WhatCannotBeLoadedLeavesTheOldOneServing) {
  Write(BundleThatAnswers(1), "m/1");
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  Write(BundleThatAnswers(2, /*is_right=*/false), "m/1");
  Write(BundleThatAnswers(3, /*is_right=*/false), "m/2");
  Look(1s);
  EXPECT_EQ(Ask("m"), 1);
  EXPECT_EQ(StateOf("m", "1"), "READY");
  EXPECT_THAT(Entry("m", "1").reason, HasSubstr("serves as it was before its files changed"));
  EXPECT_THAT(Entry("m", "1").reason, HasSubstr("wants 7"));
  EXPECT_EQ(StateOf("m", "2"), "UNAVAILABLE");
  Write(BundleThatAnswers(4), "m/1");
  Look(1s);
  EXPECT_EQ(Ask("m"), 4);
  EXPECT_EQ(Entry("m", "1").reason, "");
}

TEST_F(RepositoryLoaderTest, WhatIsGoneIsUnloadedWhenItsLastRequestIsAnswered) {
  Write(BundleThatAnswers(1), "m/1");
  Write(BundleThatAnswers(2), "m/2");
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  ModelHandle held = *repository_.Find("m", "2");
  const std::weak_ptr<const Executable> old = held->executable;
  fs::rename(root_ / "m/2", root_ / "m/away");
  Look();
  EXPECT_EQ(Newest("m"), 2) << "it may come back at once";
  Look(2s);
  EXPECT_EQ(Newest("m"), 1);
  EXPECT_EQ(StateOf("m", "2"), "UNLOADING");
  EXPECT_EQ(repository_.Find("m", "2").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(old.expired());
  held.reset();
  Look(1s);
  EXPECT_TRUE(old.expired());
  EXPECT_EQ(StateOf("m", "2"), "");
  EXPECT_EQ(repository_.Find("m", "2").status().code(), absl::StatusCode::kNotFound);
  fs::remove_all(root_ / "m");
  Look();
  Look(2s);
  Look(1s);
  EXPECT_THAT(repository_.Index(), IsEmpty());
  EXPECT_EQ(Ask("m"), std::nullopt);
}

TEST_F(RepositoryLoaderTest, TheLatestServeAndTheOlderGoWhenTheyDo) {
  Write(BundleThatAnswers(1), "m/1");
  Write(BundleThatAnswers(2), "m/2");
  MakeLoader({{"m", {.policy = ParseVersionPolicy("latest").value(), .labels = {}}}});
  ASSERT_TRUE(loader_->LoadAll().ok());
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"m:2+"}));
  EXPECT_EQ(StateOf("m", "1"), "UNAVAILABLE");
  EXPECT_THAT(Entry("m", "1").reason, HasSubstr("version policy, latest 1, leaves it out"));
  Write(BundleThatAnswers(3, /*is_right=*/false), "m/3");
  Look(1s);
  EXPECT_EQ(Newest("m"), 2);
  Write(BundleThatAnswers(4), "m/4");
  Look(1s);
  EXPECT_EQ(Newest("m"), 4);
  EXPECT_EQ(repository_.ReadyVersions().size(), 1U);
  Look(1s);
  EXPECT_EQ(StateOf("m", "2"), "UNAVAILABLE");
}

TEST_F(RepositoryLoaderTest, ClientsUnloadAndLoad) {
  Write(BundleThatAnswers(1), "m/1");
  Write(BundleThatAnswers(2), "n/1");
  MakeLoader();
  ASSERT_TRUE(loader_->LoadAll().ok());
  std::vector<absl::Status> answers;
  const auto done = [&answers](absl::Status status) { answers.push_back(std::move(status)); };
  ModelHandle held = *repository_.Find("m", "");
  loader_->Unload("m", done);
  Look();
  EXPECT_EQ(StateOf("m", "1"), "UNLOADING");
  EXPECT_THAT(answers, IsEmpty()) << "somebody has it still";
  held.reset();
  Look(1s);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers[0].ok()) << answers[0];
  EXPECT_EQ(StateOf("m", "1"), "UNAVAILABLE");
  EXPECT_THAT(Entry("m", "1").reason, HasSubstr("RepositoryModelLoad"));
  EXPECT_EQ(Ask("m"), std::nullopt);
  EXPECT_EQ(Ask("n"), 2);
  Write(BundleThatAnswers(3), "m/1");
  Look(10s);
  EXPECT_EQ(Ask("m"), std::nullopt) << "the store does not bring it back";
  loader_->Load("m", done);
  Look();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers[1].ok()) << answers[1];
  EXPECT_EQ(Ask("m"), 3);

  Write(BundleThatAnswers(4, /*is_right=*/false), "m/2");
  loader_->Load("m", done);
  loader_->Load("nobody", done);
  loader_->Unload("nobody", done);
  Look();
  ASSERT_EQ(answers.size(), 5U);
  EXPECT_FALSE(answers[2].ok());
  EXPECT_THAT(std::string(answers[2].message()), HasSubstr("model \"m\" version 2 cannot be"));
  EXPECT_EQ(answers[3].code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(answers[4].code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Ask("m"), 3);
}

TEST_F(RepositoryLoaderTest, WhoWaitsAtTheEndIsToldSo) {
  Write(BundleThatAnswers(1), "m/1");
  MakeLoader({}, {}, nullptr);
  ASSERT_TRUE(loader_->LoadAll().ok());
  loader_->Start();
  ModelHandle held = *repository_.Find("m", "");
  std::atomic<int> answered = 0;
  absl::Status answer;
  loader_->Unload("m", [&](absl::Status status) {
    answer = std::move(status);
    answered = 1;
  });
  while (repository_.Find("m", "").ok()) std::this_thread::yield();
  loader_->Stop();
  held.reset();
  loader_.reset();
  EXPECT_EQ(answered, 1);
  EXPECT_EQ(answer.code(), absl::StatusCode::kUnavailable);
}

// Two models, one of which is reloaded over and over, by renames and in place, with a watcher, a
// loading thread and clients that name no version.
TEST_F(RepositoryLoaderTest, AHundredReloadsFailNoRequestAndMisleadNone) {
  constexpr int kReloads = 100;
  Write(BundleThatAnswers(1), "m/1");
  Write(BundleThatAnswers(-1), "n/1");
  MakeLoader({}, {.settle = 200ms, .gone = 100ms, .retry = 1ms}, nullptr);
  ASSERT_TRUE(loader_->LoadAll().ok());
  loader_->Start();
  StoreWatcher watcher(
      {.path = root_ / "", .poll = 20ms},
      [this](std::vector<StoredModel> listing) { loader_->SetListing(std::move(listing)); });
  watcher.Start();
  std::atomic<bool> ends = false;
  std::vector<std::shared_ptr<Outcome>> of_m;
  std::vector<std::shared_ptr<Outcome>> of_n;
  std::thread client([&] {
    do {
      for (int i = 0; i < 4; ++i) of_m.push_back(Send("m"));
      of_n.push_back(Send("n"));
    } while (AwaitAnswers() && !ends);
  });

  std::vector<std::weak_ptr<const Executable>> executables;
  std::int64_t version = 1;
  for (int reload = 1; reload <= kReloads; ++reload) {
    const auto answer = static_cast<float>(reload + 1);
    // Every third time in place, else as another version, whose predecessor goes.
    if (reload % 3 != 0) {
      Write(BundleThatAnswers(answer), "m/" + std::to_string(version + 1));
      fs::remove_all(root_ / "m/" + std::to_string(version));
      ++version;
    } else {
      Write(BundleThatAnswers(answer), "m/" + std::to_string(version));
    }
    const std::string digest = ReadBundle(root_ / "m/" + std::to_string(version)).value().digest;
    const auto until = std::chrono::steady_clock::now() + 60s;
    absl::StatusOr<ModelHandle> model = repository_.Find("m", "");
    while (model.ok() && (*model)->digest != digest && std::chrono::steady_clock::now() < until) {
      std::this_thread::yield();
      model = repository_.Find("m", "");
    }
    EXPECT_TRUE(model.ok()) << "reload " << reload << ": " << model.status();
    if (!model.ok()) break;
    EXPECT_EQ((*model)->digest, digest) << "reload " << reload;
    executables.emplace_back((*model)->executable);
  }
  ends = true;
  client.join();
  ASSERT_TRUE(AwaitAnswers());
  std::set<float> answers;
  for (const auto& outcome : of_m) {
    ASSERT_EQ(outcome->completions, 1);
    ASSERT_TRUE(outcome->status.ok()) << outcome->status;
    ASSERT_EQ(outcome->values[1], -0.25F);
    ASSERT_GE(outcome->values[0], 1);
    answers.insert(outcome->values[0]);
  }
  for (const auto& outcome : of_n) {
    ASSERT_TRUE(outcome->status.ok()) << outcome->status;
    ASSERT_EQ(outcome->values[0], -1) << "another model's answer";
  }
  EXPECT_GT(answers.size(), 10U) << "of " << of_m.size() << " requests";
  const auto until = std::chrono::steady_clock::now() + 60s;
  const auto kept = [&executables] {
    return std::count_if(executables.begin(), executables.end(),
                         [](const auto& executable) { return !executable.expired(); });
  };
  // The watcher has to see the last one go, too.
  while (kept() > 1 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(kept(), 1) << "what was replaced is freed";
  watcher.Stop();
  EXPECT_EQ(Ask("m"), kReloads + 1);
}

}  // namespace
}  // namespace octet
