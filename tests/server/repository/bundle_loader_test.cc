// SPDX-License-Identifier: Apache-2.0
#include "server/repository/bundle_loader.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/reader.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kStaticBundle[] = "models/zoo/repository/digits-mlp-int8-static/1";
constexpr char kDynamicBundle[] = "models/zoo/repository/digits-mlp-int8/1";

class BundleLoaderTest : public ::testing::Test {
 protected:
  LoadOutcome Load(const std::string& path, const kernels::KernelSet& kernels) {
    return BundleLoader({.kernel_set_name = std::string(kernels.name)}, operators_, kernels,
                        metrics_)
        .Load({.name = "m", .version = 1, .path = path});
  }

  // A copy of one of the zoo's bundles that hardly minds what it answers.
  std::string WriteTolerantBundle(const char* path) {
    absl::StatusOr<Bundle> bundle = ReadBundle(path);
    EXPECT_TRUE(bundle.ok()) << bundle.status();
    bundle->self_test->tolerance = 0.5;
    const absl::Status status = WriteBundle(*bundle, root_ / "1");
    EXPECT_TRUE(status.ok()) << status;
    return root_ / "1";
  }

  testing::TemporaryDirectory root_;
  const OperatorRegistry operators_ = BuiltInOperators();
  Metrics metrics_{{.num_workers = 1, .server_version = "test"}};
  const kernels::KernelSet& reference_ = *kernels::FindKernelSet("reference");
};

TEST_F(BundleLoaderTest, EveryKernelSetThatRunsHerePassesTheSelfTest) {
  for (const kernels::KernelSet* set : kernels::AllKernelSets()) {
    if (!set->runs_here()) continue;
    const LoadOutcome outcome = Load(kStaticBundle, *set);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    ASSERT_NE(outcome.handle, nullptr);
    EXPECT_EQ(outcome.handle->precision, "int8-static");
    EXPECT_EQ(outcome.handle->kernel_set, set->name);
  }
}

// Off by one in one element: far within the tolerance of the outputs.
void QuantizeWrongly(kernels::Scale scale, kernels::ZeroPoint zero_point, std::span<const float> in,
                     std::span<std::int8_t> out) {
  kernels::FindKernelSet("reference")->quantize_s8(scale, zero_point, in, out);
  out[5] = static_cast<std::int8_t>(out[5] + (out[5] == 127 ? -1 : 1));
}

TEST_F(BundleLoaderTest, AnIntegerThatDiffersInsideRefusesTheVersion) {
  kernels::KernelSet wrong = reference_;
  wrong.name = "wrong";
  wrong.quantize_s8 = QuantizeWrongly;
  const LoadOutcome outcome = Load(WriteTolerantBundle(kStaticBundle), wrong);
  EXPECT_EQ(outcome.handle, nullptr);
  EXPECT_EQ(outcome.step, LoadStep::kSelfTest);
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(outcome.status.message());
  EXPECT_THAT(message, HasSubstr("self-test: Quantize \""));
  EXPECT_THAT(message, HasSubstr("element 5: got "));
  EXPECT_THAT(DescribeFailure(outcome), HasSubstr("OCTET_KERNEL_SET=reference"));
  EXPECT_THAT(metrics_.Scrape(),
              HasSubstr("octet_model_load_failures_total{reason=\"self_test\"} 1\n"));
}

// A product whose results are those of another, but for the last bit of one.
class MatmulWithAWrongBit final : public kernels::MatmulS8 {
 public:
  explicit MatmulWithAWrongBit(std::unique_ptr<const kernels::MatmulS8> right)
      : right_(std::move(right)) {}
  std::string_view Provider() const override { return "wrong bit"; }
  std::size_t PackedByteSize() const override { return right_->PackedByteSize(); }
  std::size_t ScratchByteSize(std::size_t m) const override { return right_->ScratchByteSize(m); }
  void Run(const Arguments& arguments) const override {
    right_->Run(arguments);
    float& value = arguments.out.f32[5];
    value = std::nextafter(value, value + 1.0F);
  }

 private:
  const std::unique_ptr<const kernels::MatmulS8> right_;
};

kernels::Prepared<kernels::MatmulS8> PrepareWithAWrongBit(const kernels::MatmulS8Spec& spec) {
  auto right = kernels::FindKernelSet("reference")->prepare_matmul_s8(spec);
  return {std::make_unique<const MatmulWithAWrongBit>(std::move(right.kernel)), right.error};
}

TEST_F(BundleLoaderTest, TheFloatsOfAnIntegerProductAreExactToo) {
  kernels::KernelSet wrong = reference_;
  wrong.name = "wrong";
  wrong.prepare_matmul_s8 = PrepareWithAWrongBit;
  const LoadOutcome outcome = Load(WriteTolerantBundle(kDynamicBundle), wrong);
  EXPECT_EQ(outcome.handle, nullptr);
  EXPECT_EQ(outcome.step, LoadStep::kSelfTest);
  EXPECT_THAT(std::string(outcome.status.message()),
              AllOf(HasSubstr("self-test: FullyConnected \""), HasSubstr("on wrong bit differs"),
                    HasSubstr("element 5: got ")));
}

// Floats may differ by rounding: those of other kernels do.
void ScaleSlightly(kernels::Scale scale, kernels::ZeroPoint zero_point,
                   std::span<const std::int8_t> in, std::span<float> out) {
  kernels::FindKernelSet("reference")->dequantize_s8(scale, zero_point, in, out);
  for (float& value : out) value *= 1.0F + 1e-6F;
}

TEST_F(BundleLoaderTest, AFloatMayDifferByTheBundlesTolerance) {
  kernels::KernelSet other = reference_;
  other.name = "other";
  other.dequantize_s8 = ScaleSlightly;
  const LoadOutcome outcome = Load(kStaticBundle, other);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
}

TEST_F(BundleLoaderTest, ABundleWithoutSelfTestServesWithAWarning) {
  Bundle bundle = testing::SmallBundle();
  bundle.self_test.reset();
  ASSERT_TRUE(WriteBundle(bundle, root_ / "1").ok());
  const LoadOutcome outcome = Load(root_ / "1", reference_);
  EXPECT_NE(outcome.handle, nullptr) << outcome.status;
  ASSERT_EQ(outcome.warnings.size(), 1U);
  EXPECT_THAT(outcome.warnings[0], HasSubstr("has no self-test"));
}

TEST_F(BundleLoaderTest, ARecompiledVersionIsTheSameToItsClients) {
  const BundleLoader loader({.kernel_set_name = "reference"}, operators_, reference_, metrics_);
  const LoadOutcome outcome = loader.Load({.name = "m", .version = 1, .path = kStaticBundle});
  ASSERT_NE(outcome.handle, nullptr) << outcome.status;
  const ModelVersion& before = *outcome.handle;
  EXPECT_EQ(before.path, kStaticBundle);
  const absl::StatusOr<Bundle> bundle = BundleLoader::ReadAgain(before);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  const auto choices = std::make_shared<const KernelChoices>();
  const auto after = loader.Recompile(before, *bundle, choices, [] { return false; });
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE((*after)->executable, before.executable);
  EXPECT_EQ((*after)->executable->options().choices, choices);
  EXPECT_EQ((*after)->metrics, before.metrics);
  EXPECT_EQ((*after)->name, "m");
  EXPECT_EQ((*after)->digest, before.digest);
  EXPECT_EQ((*after)->class_labels, before.class_labels);
}

TEST_F(BundleLoaderTest, ARecompiledVersionThatComputesOtherBitsIsRefused) {
  const std::string path = WriteTolerantBundle(kStaticBundle);
  const LoadOutcome outcome = Load(path, reference_);
  ASSERT_NE(outcome.handle, nullptr) << outcome.status;
  kernels::KernelSet wrong = reference_;
  wrong.quantize_s8 = QuantizeWrongly;
  const BundleLoader loader({.kernel_set_name = "wrong"}, operators_, wrong, metrics_);
  const auto after =
      loader.Recompile(*outcome.handle, *ReadBundle(path), nullptr, [] { return false; });
  EXPECT_TRUE(absl::IsFailedPrecondition(after.status())) << after.status();
  EXPECT_THAT(std::string(after.status().message()), HasSubstr("element 5: got "));
}

TEST_F(BundleLoaderTest, RecompilingStopsWhenAsked) {
  const BundleLoader loader({.kernel_set_name = "reference"}, operators_, reference_, metrics_);
  const LoadOutcome outcome = loader.Load({.name = "m", .version = 1, .path = kStaticBundle});
  const Bundle bundle = *ReadBundle(kStaticBundle);
  for (const int last : {1, 2, 3}) {
    int num_asked = 0;
    const auto after = loader.Recompile(*outcome.handle, bundle, nullptr,
                                        [&num_asked, last] { return ++num_asked == last; });
    EXPECT_TRUE(absl::IsCancelled(after.status())) << after.status();
    EXPECT_EQ(num_asked, last);
  }
}

TEST_F(BundleLoaderTest, AnotherBundleInItsPlaceIsRefused) {
  const std::string path = WriteTolerantBundle(kStaticBundle);
  const LoadOutcome outcome = Load(path, reference_);
  ASSERT_NE(outcome.handle, nullptr) << outcome.status;
  std::filesystem::remove_all(path);
  std::filesystem::copy(kStaticBundle, path, std::filesystem::copy_options::recursive);
  const absl::Status status = BundleLoader::ReadAgain(*outcome.handle).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(path), HasSubstr(outcome.handle->digest)));
}

}  // namespace
}  // namespace octet
