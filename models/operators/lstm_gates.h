// SPDX-License-Identifier: Apache-2.0
// What float32 LSTMs do with their gates, and the attributes that say how: those of
// cell_activation.h and `cell_clip`.

#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "kernels/kernel_set.h"
#include "models/graph/graph.h"
#include "models/operators/cell_activation.h"

namespace octet {

// Gates in the order i, f, c, o:
//   c' = f * c + i * activation(z_c), clipped;  h' = o * activation(c')
// With peepholes p, the sums of i and f have p_i * c and p_f * c added, that of o p_o * c'.
class LstmGates {
 public:
  struct Options {
    std::size_t units = 0;
    float cell_clip = 0.0F;  // the largest magnitude of c'; 0 for any
    CellActivation activation;
    CellActivation recurrent_activation;
    std::vector<float> peepholes;  // of i, f and o, units each; or none
  };
  LstmGates(Options options, const kernels::KernelSet& kernels)
      : options_(std::move(options)), kernels_(&kernels) {}

  [[nodiscard]] std::size_t units() const { return options_.units; }
  [[nodiscard]] std::size_t width() const { return 4 * options_.units; }

  // One row.
  struct Arguments {
    std::span<float> z;        // width() sums; overwritten
    std::span<const float> c;  // units()
    std::span<float> next_c;   // may be c
    std::span<float> next_h;   // overlaps nothing
  };
  void Advance(const Arguments& arguments) const;

 private:
  Options options_;
  const kernels::KernelSet* kernels_;
};

// INVALID_ARGUMENT or UNIMPLEMENTED for attributes that a node may not have.
absl::Status CheckLstmGates(const Node& node);
// Precondition: the check above holds; `peepholes` is as in the options.
absl::StatusOr<LstmGates> MakeLstmGates(const Node& node, std::size_t units,
                                        const kernels::KernelSet& kernels,
                                        std::vector<float> peepholes = {});

}  // namespace octet
