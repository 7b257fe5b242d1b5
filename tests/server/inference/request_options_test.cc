// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_options.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

bool IsTaken(absl::string_view name, const ParameterValue& value) {
  RequestOptions options;
  const absl::Status status = TakeRequestParameter(name, value, options);
  EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  return status.ok();
}

TEST(RequestOptionsTest, KnownParametersAreTaken) {
  RequestOptions options;
  EXPECT_TRUE(TakeRequestParameter("octet_timing", true, options).ok());
  EXPECT_TRUE(TakeRequestParameter("octet_typed_outputs", true, options).ok());
  EXPECT_TRUE(TakeRequestParameter("binary_data_output", true, options).ok());
  EXPECT_TRUE(TakeRequestParameter("timeout", std::int64_t{7}, options).ok());
  EXPECT_TRUE(TakeRequestParameter("priority", std::int64_t{2}, options).ok());
  EXPECT_EQ(options.priority, 2U);
  EXPECT_TRUE(options.wants_timing);
  EXPECT_TRUE(options.wants_typed_outputs);
  EXPECT_TRUE(options.wants_binary_outputs);
  EXPECT_EQ(options.timeout_microseconds, 7);
}

TEST(RequestOptionsTest, TypesAndRangesAreChecked) {
  EXPECT_TRUE(IsTaken("priority", std::uint64_t{1}));
  EXPECT_FALSE(IsTaken("priority", std::int64_t{-1}));
  EXPECT_FALSE(IsTaken("timeout", std::int64_t{-1}));
  EXPECT_FALSE(IsTaken("timeout", 1.5));
  EXPECT_TRUE(IsTaken("timeout", std::int64_t{0}));
  EXPECT_TRUE(IsTaken("sequence_id", std::string("x")));
  EXPECT_FALSE(IsTaken("sequence_id", true));
  EXPECT_FALSE(IsTaken("sequence_start", std::int64_t{1}));
  EXPECT_FALSE(IsTaken("octet_timing", std::string("true")));
  EXPECT_FALSE(IsTaken("triton_x", true));
  EXPECT_FALSE(IsTaken("octet_x", true));
  EXPECT_TRUE(IsTaken("anything", std::string("else")));
}

TEST(RequestOptionsTest, ClassesAreCounted) {
  EXPECT_EQ(*NumClasses(std::int64_t{3}), 3);
  EXPECT_EQ(*NumClasses(std::numeric_limits<std::uint64_t>::max()),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(NumClasses(std::int64_t{0}).ok());
  EXPECT_FALSE(NumClasses(std::uint64_t{0}).ok());
  EXPECT_FALSE(NumClasses(1.0).ok());
}

TEST(RequestOptionsTest, TimeoutIsATimeOrNone) {
  RequestOptions options;
  EXPECT_EQ(TimeoutOf(options).count(), 0);
  options.timeout_microseconds = 5;
  EXPECT_EQ(TimeoutOf(options), std::chrono::microseconds(5));
  options.timeout_microseconds = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(TimeoutOf(options).count(), 0) << "so long a time is none";
}

}  // namespace
}  // namespace octet
