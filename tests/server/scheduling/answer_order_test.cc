// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/answer_order.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

// Writes its name down when it is completed.
class NamedCompletion final : public Completion {
 public:
  NamedCompletion(int name, std::vector<int>& answered) : name_(name), answered_(answered) {}
  [[nodiscard]] bool IsCancelled() const override { return name_ == 7; }
  void Complete(absl::StatusOr<InferenceAnswer>) override { answered_.push_back(name_); }

 private:
  const int name_;
  std::vector<int>& answered_;
};

TEST(AnswerOrderTest, AnswersLeaveInTheOrderOfTheRequests) {
  std::vector<int> answered;
  const auto order = std::make_shared<AnswerOrder>();
  const auto enter = [&](int name) {
    return order->Enter(std::make_unique<NamedCompletion>(name, answered));
  };
  const auto first = enter(1);
  const auto second = enter(2);
  const auto third = enter(7);
  EXPECT_FALSE(first->IsCancelled());
  EXPECT_TRUE(third->IsCancelled());
  third->Complete(InferenceAnswer());
  second->Complete(absl::CancelledError("an error waits for its turn too"));
  EXPECT_THAT(answered, ElementsAre());
  first->Complete(InferenceAnswer());
  EXPECT_THAT(answered, ElementsAre(1, 2, 7));
  enter(4)->Complete(InferenceAnswer());
  EXPECT_THAT(answered, ElementsAre(1, 2, 7, 4));
}

TEST(AnswerOrderTest, ManyThreadsAnswerEachOnceAndInOrder) {
  constexpr int kRequests = 4000;
  constexpr int kThreads = 4;
  std::vector<int> answered;  // by one thread at a time, as the order promises
  const auto order = std::make_shared<AnswerOrder>();
  std::vector<std::unique_ptr<Completion>> places;
  for (int i = 0; i < kRequests; ++i) {
    places.push_back(order->Enter(std::make_unique<NamedCompletion>(i, answered)));
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&places, t] {
      for (int i = kRequests - 1 - t; i >= 0; i -= kThreads) {
        places[static_cast<std::size_t>(i)]->Complete(InferenceAnswer());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(answered.size(), static_cast<std::size_t>(kRequests));
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(answered[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace octet
