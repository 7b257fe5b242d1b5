// SPDX-License-Identifier: Apache-2.0
// Has the answers of one model leave in the order in which its requests came.

#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"

#include "models/base/mutex.h"
#include "server/scheduling/request.h"

namespace octet {

// An answer that is ready before an earlier one waits for it. Each request that has entered is
// answered at some time, so none waits for ever.
// Thread safety: any thread may call any method.
class AnswerOrder : public std::enable_shared_from_this<AnswerOrder> {
 public:
  // Takes the next place. What is returned completes `completion` when its turn has come: on the
  // thread that completes it, or on one that completes an earlier one.
  std::unique_ptr<Completion> Enter(std::unique_ptr<Completion> completion)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Place;
  struct Ready {
    std::unique_ptr<Completion> completion;
    absl::StatusOr<InferenceAnswer> answer;
  };

  void Complete(std::uint64_t place, Ready ready) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  std::uint64_t next_entry_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_answer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_answering_ ABSL_GUARDED_BY(mutex_) = false;  // some thread hands answers out
  std::map<std::uint64_t, Ready> ready_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace octet
