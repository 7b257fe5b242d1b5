// SPDX-License-Identifier: Apache-2.0
// RotaryEmbedding: pairs of numbers turned by an angle that belongs to their position, ONNX's own
// (opset 23 and newer) and ONNX Runtime's.

#include <array>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/importers/onnx/operand_nodes.h"
#include "models/importers/onnx/operator_list.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

constexpr std::int64_t kEnd = std::int64_t{1} << 60;

struct Rotation {
  Operand x;          // [batch, heads, length, width] or [batch, length, heads * width]
  Operand cosines;    // [positions, half] with positions, else [batch, length, half]
  Operand sines;      // the same
  Operand positions;  // [batch, length], or absent
  std::int64_t heads = 0;
  std::int64_t width = 0;  // of the part that is turned; 0: all
  bool is_interleaved = false;
};

class Rotary {
 public:
  Rotary(NodeCall& call, Rotation rotation)
      : call_(call), nodes_(call), rotation_(std::move(rotation)) {}

  Outputs Translate() {
    Operand x = rotation_.x;
    const std::size_t rank = x.rank();
    if (rank != 3 && rank != 4) return call_.Invalid("wants an input of 3 or 4 dimensions");
    const Shape shape = x.shape();
    if (!shape[rank - 1].is_constant()) return call_.Unimplemented("an open width");
    // [batch, length, heads, width] from here on.
    std::int64_t width = shape[rank - 1].value();
    if (rank == 4) {
      ASSIGN_OR_RETURN(
          x, nodes_.Add("Transpose", {x}, {IntsAttributeOf("perm", {0, 2, 1, 3})}, "heads"));
    } else {
      const std::int64_t heads = rotation_.heads;
      if (heads < 1 || width % heads != 0) {
        return call_.Invalid(absl::StrCat("a width of ", width, " for num_heads ", heads));
      }
      width /= heads;
      ASSIGN_OR_RETURN(
          x, nodes_.Add("Reshape", {x, nodes_.Numbers({0, 0, heads, width})}, {}, "heads"));
    }
    ASSIGN_OR_RETURN(x, Turned(x, width));
    if (rank == 4) {
      ASSIGN_OR_RETURN(
          x, nodes_.Add("Transpose", {x}, {IntsAttributeOf("perm", {0, 2, 1, 3})}, "result"));
    } else {
      ASSIGN_OR_RETURN(
          x, nodes_.Add("Reshape", {x, nodes_.Numbers({0, 0, shape[2].value()})}, {}, "result"));
    }
    return Single(std::move(x));
  }

 private:
  // [batch, length, 1, half]
  absl::StatusOr<Operand> Factors(const Operand& table, std::int64_t half) {
    Operand factors = table;
    if (!rotation_.positions.is_absent()) {
      if (table.rank() != 2 || rotation_.positions.rank() != 2) {
        return call_.Unimplemented(
            "positions that are not [batch, length], or a table of another "
            "rank than 2");
      }
      ASSIGN_OR_RETURN(factors, nodes_.Add("Gather", {table, rotation_.positions},
                                           {IntAttributeOf("axis", 0)}, "factors"));
    } else if (table.rank() != 3) {
      return call_.Invalid("wants cosines and sines of 3 dimensions, or positions");
    }
    if (factors.shape().back() != Dim(half)) {
      return call_.Invalid(absl::StrCat("cosines or sines that are not ", half, " wide"));
    }
    return nodes_.Add("Unsqueeze", {factors, nodes_.Numbers({2})}, {}, "factors");
  }

  // a * c - b * s, or a * c + b * s
  absl::StatusOr<Operand> Mixed(const Operand& a, const Operand& c, const Operand& b,
                                const Operand& s, absl::string_view op) {
    ASSIGN_OR_RETURN(const Operand left, nodes_.Add("Mul", {a, c}, {}, "part"));
    ASSIGN_OR_RETURN(const Operand right, nodes_.Add("Mul", {b, s}, {}, "part"));
    return nodes_.Add(op, {left, right}, {}, "turned");
  }

  absl::StatusOr<Operand> Turned(const Operand& x, std::int64_t width) {
    const std::int64_t turned = rotation_.width == 0 ? width : rotation_.width;
    if (turned < 2 || turned > width || turned % 2 != 0) {
      return call_.Invalid(absl::StrCat("rotary_embedding_dim ", turned, " of a width of ", width));
    }
    const std::int64_t half = turned / 2;
    ASSIGN_OR_RETURN(const Operand cosines, Factors(rotation_.cosines, half));
    ASSIGN_OR_RETURN(const Operand sines, Factors(rotation_.sines, half));
    const bool is_interleaved = rotation_.is_interleaved;
    const std::int64_t step = is_interleaved ? 2 : 1;
    ASSIGN_OR_RETURN(const Operand first,
                     nodes_.Part(x, 3, 0, is_interleaved ? turned : half, step, "first"));
    ASSIGN_OR_RETURN(const Operand second,
                     nodes_.Part(x, 3, is_interleaved ? 1 : half, turned, step, "second"));
    ASSIGN_OR_RETURN(Operand real, Mixed(first, cosines, second, sines, "Sub"));
    ASSIGN_OR_RETURN(Operand imaginary, Mixed(second, cosines, first, sines, "Add"));
    Operand result;
    if (is_interleaved) {
      for (Operand* const part : {&real, &imaginary}) {
        ASSIGN_OR_RETURN(*part, nodes_.Add("Unsqueeze", {*part, nodes_.Numbers({4})}, {}, "pairs"));
      }
      ASSIGN_OR_RETURN(
          result, nodes_.Add("Concat", {real, imaginary}, {IntAttributeOf("axis", 4)}, "pairs"));
      ASSIGN_OR_RETURN(
          result, nodes_.Add("Reshape", {result, nodes_.Numbers({0, 0, 0, turned})}, {}, "pairs"));
    } else {
      ASSIGN_OR_RETURN(
          result, nodes_.Add("Concat", {real, imaginary}, {IntAttributeOf("axis", 3)}, "halves"));
    }
    if (turned == width) return result;
    ASSIGN_OR_RETURN(const Operand rest, nodes_.Part(x, 3, turned, kEnd, 1, "rest"));
    return nodes_.Add("Concat", {result, rest}, {IntAttributeOf("axis", 3)}, "all");
  }

  NodeCall& call_;
  OtherNodes nodes_;
  const Rotation rotation_;
};

absl::StatusOr<Rotation> RotationOf(NodeCall& call) {
  Rotation rotation;
  ASSIGN_OR_RETURN(const std::int64_t interleaved, call.Int("interleaved", 0));
  ASSIGN_OR_RETURN(rotation.heads, call.Int("num_heads", 0));
  ASSIGN_OR_RETURN(rotation.width, call.Int("rotary_embedding_dim", 0));
  rotation.is_interleaved = interleaved != 0;
  rotation.x = call.input(0);
  return rotation;
}

Outputs TranslateRotaryEmbedding(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 4));
  ASSIGN_OR_RETURN(Rotation rotation, RotationOf(call));
  rotation.cosines = call.input(1);
  rotation.sines = call.input(2);
  if (call.Has(3)) rotation.positions = call.input(3);
  return Rotary(call, std::move(rotation)).Translate();
}

Outputs TranslateMicrosoftRotaryEmbedding(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(4, 4));
  ASSIGN_OR_RETURN(Rotation rotation, RotationOf(call));
  ASSIGN_OR_RETURN(const std::int64_t is_packed, call.Int("is_packed_batching", 0));
  ASSIGN_OR_RETURN(const float scale, call.Float("scale", 1.0F));
  if (is_packed != 0 || scale != 1.0F) {
    return call.Unimplemented("is_packed_batching, or a scale that is not 1");
  }
  rotation.positions = call.input(1);
  rotation.cosines = call.input(2);
  rotation.sines = call.input(3);
  if (rotation.x.rank() == 3 && rotation.heads == 0 && rotation.width == 0 &&
      rotation.x.shape()[2].is_constant() && rotation.cosines.rank() == 2 &&
      rotation.cosines.shape()[1].is_constant() && rotation.cosines.shape()[1].value() > 0) {
    // The table says how wide a head is.
    rotation.heads = rotation.x.shape()[2].value() / (2 * rotation.cosines.shape()[1].value());
  }
  return Rotary(call, std::move(rotation)).Translate();
}

constexpr std::array kOperators = {OperatorEntry{"RotaryEmbedding", TranslateRotaryEmbedding}};
constexpr std::array kMicrosoftOperators = {
    OperatorEntry{"RotaryEmbedding", TranslateMicrosoftRotaryEmbedding}};

}  // namespace

std::span<const OperatorEntry> RotaryOperators() { return kOperators; }
std::span<const OperatorEntry> MicrosoftRotaryOperators() { return kMicrosoftOperators; }

}  // namespace octet::onnx
