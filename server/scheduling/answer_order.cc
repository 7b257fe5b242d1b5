// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/answer_order.h"

#include <utility>

namespace octet {

class AnswerOrder::Place final : public Completion {
 public:
  Place(std::shared_ptr<AnswerOrder> order, std::uint64_t place,
        std::unique_ptr<Completion> completion)
      : order_(std::move(order)), place_(place), completion_(std::move(completion)) {}

  [[nodiscard]] bool IsCancelled() const override { return completion_->IsCancelled(); }
  void Complete(absl::StatusOr<InferenceAnswer> answer) override {
    order_->Complete(place_, {std::move(completion_), std::move(answer)});
  }

 private:
  const std::shared_ptr<AnswerOrder> order_;
  const std::uint64_t place_;
  std::unique_ptr<Completion> completion_;
};

std::unique_ptr<Completion> AnswerOrder::Enter(std::unique_ptr<Completion> completion) {
  MutexLock lock(mutex_);
  return std::make_unique<Place>(shared_from_this(), next_entry_++, std::move(completion));
}

void AnswerOrder::Complete(std::uint64_t place, Ready ready) {
  {
    MutexLock lock(mutex_);
    ready_.emplace(place, std::move(ready));
    // Who hands out finds this one too.
    if (is_answering_) return;
    is_answering_ = true;
  }
  while (true) {
    std::map<std::uint64_t, Ready>::node_type first;
    {
      MutexLock lock(mutex_);
      if (ready_.empty() || ready_.begin()->first != next_answer_) {
        is_answering_ = false;
        return;
      }
      first = ready_.extract(ready_.begin());
      ++next_answer_;
    }
    first.mapped().completion->Complete(std::move(first.mapped().answer));
  }
}

}  // namespace octet
