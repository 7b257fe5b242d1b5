// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace octet::onnx {

namespace {

using Integer = std::int64_t;
// Wraps around as the machine's own integers do.
Integer Wrap(std::uint64_t bits) { return static_cast<Integer>(bits); }

}  // namespace

// NOLINTNEXTLINE(readability-function-cognitive-complexity): a table
const BinaryFunction* FindBinaryFunction(const std::string& op) {
  static const auto* const functions = new std::map<std::string, BinaryFunction>{
      {"Add",
       {[](double a, double b) { return a + b; },
        [](Integer a, Integer b) {
          return Wrap(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
        }}},
      {"Sub",
       {[](double a, double b) { return a - b; },
        [](Integer a, Integer b) {
          return Wrap(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
        }}},
      {"Mul",
       {[](double a, double b) { return a * b; },
        [](Integer a, Integer b) {
          return Wrap(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
        }}},
      {"Div",
       {[](double a, double b) { return a / b; },
        [](Integer a, Integer b) {
          return b == 0 || (b == -1 && a == std::numeric_limits<Integer>::min()) ? 0 : a / b;
        }}},
      // With the sign of the divisor, as Python's.
      {"Mod",
       {[](double a, double b) { return a - std::floor(a / b) * b; },
        [](Integer a, Integer b) -> Integer {
          if (b == 0 || b == -1) return 0;
          const Integer rest = a % b;
          return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
        }}},
      // With the sign of the dividend, as C's: Mod with its attribute fmod.
      {"Mod/fmod",
       {[](double a, double b) { return std::fmod(a, b); },
        [](Integer a, Integer b) -> Integer { return b == 0 || b == -1 ? 0 : a % b; }}},
      {"Pow", {[](double a, double b) { return std::pow(a, b); }, nullptr}},
      {"Max",
       {[](double a, double b) { return std::isnan(a) || a > b ? a : b; },
        [](Integer a, Integer b) { return std::max(a, b); }}},
      {"Min",
       {[](double a, double b) { return std::isnan(a) || a < b ? a : b; },
        [](Integer a, Integer b) { return std::min(a, b); }}},
      {"Equal",
       {[](double a, double b) { return a == b ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a == b ? 1 : 0; }}},
      {"Greater",
       {[](double a, double b) { return a > b ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a > b ? 1 : 0; }}},
      {"GreaterOrEqual",
       {[](double a, double b) { return a >= b ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a >= b ? 1 : 0; }}},
      {"Less",
       {[](double a, double b) { return a < b ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a < b ? 1 : 0; }}},
      {"LessOrEqual",
       {[](double a, double b) { return a <= b ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a <= b ? 1 : 0; }}},
      {"And",
       {[](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a != 0 && b != 0 ? 1 : 0; }}},
      {"Or",
       {[](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; },
        [](Integer a, Integer b) -> Integer { return a != 0 || b != 0 ? 1 : 0; }}},
  };
  const auto found = functions->find(op);
  return found == functions->end() ? nullptr : &found->second;
}

UnaryFunction FindUnaryFunction(const std::string& op) {
  static const auto* const functions = new std::map<std::string, UnaryFunction>{
      {"Abs", [](double x) { return std::abs(x); }},
      {"Ceil", [](double x) { return std::ceil(x); }},
      {"Cos", [](double x) { return std::cos(x); }},
      {"Erf", [](double x) { return std::erf(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Floor", [](double x) { return std::floor(x); }},
      {"Log", [](double x) { return std::log(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Not", [](double x) { return x == 0.0 ? 1.0 : 0.0; }},
      {"Reciprocal", [](double x) { return 1.0 / x; }},
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"Round", [](double x) { return std::nearbyint(x); }},
      {"Sigmoid", [](double x) { return 1.0 / (1.0 + std::exp(-x)); }},
      {"Sin", [](double x) { return std::sin(x); }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},
      {"Tanh", [](double x) { return std::tanh(x); }},
  };
  const auto found = functions->find(op);
  return found == functions->end() ? nullptr : found->second;
}

}  // namespace octet::onnx
