#include "config/arithmetic.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/checked.h"
#include "base/edit_distance.h"
#include "config/characters.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

constexpr int kMaxNesting = 100;

bool both_int(const Node& a, const Node& b) { return a.is(Kind::integer) && b.is(Kind::integer); }

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

class Calculator {
 public:
  explicit Calculator(std::string_view text) : text_(text) {}

  Node result() {
    Node out = sum();
    skip_blanks();
    if (at_ < text_.size()) fail(fmt::format("unexpected '{}'", text_[at_]));
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& reason, std::vector<std::string> notes = {}) const {
    throw Error(fmt::format("eval: {} in '{}'", reason, text_), {}, std::move(notes));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }

  bool accept(std::string_view token) {
    skip_blanks();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  Node sum() {
    Node left = product();
    for (;;) {
      if (accept("+")) {
        left = add(left, product());
      } else if (accept("-")) {
        left = add(left, negated(product()));
      } else {
        return left;
      }
    }
  }

  Node product() {
    Node left = unary();
    for (;;) {
      if (accept("//")) {
        left = divide_down(left, unary());
      } else if (accept("/")) {
        const Node right = unary();
        if (right.as_double() == 0) fail("division by zero");
        left = Node::floating(left.as_double() / right.as_double());
      } else if (accept("%")) {
        const Node right = unary();
        left = add(left, negated(multiply(divide_down(left, right), right)));
      } else if (accept("*")) {
        left = multiply(left, unary());
      } else {
        return left;
      }
    }
  }

  Node unary() {
    if (++depth_ > kMaxNesting) fail("too deeply nested");
    Node out = accept("-") ? negated(unary()) : accept("+") ? unary() : power();
    --depth_;
    return out;
  }

  Node power() {
    Node base = atom();
    if (!accept("**")) return base;
    const Node exponent = unary();
    if (!both_int(base, exponent) || exponent.as_int() < 0) {
      return Node::floating(std::pow(base.as_double(), exponent.as_double()));
    }
    int64_t out = 1, factor = base.as_int();
    for (int64_t left = exponent.as_int(); left > 0; left /= 2) {
      if (left % 2 == 1) out = checked_mul(out, factor, "eval");
      if (left > 1) factor = checked_mul(factor, factor, "eval");
    }
    return Node::integer(out);
  }

  Node atom() {
    if (accept("(")) {
      Node out = sum();
      if (!accept(")")) fail("missing ')'");
      return out;
    }
    skip_blanks();
    size_t end = at_;
    if (at_ < text_.size() && is_letter(text_[at_])) {
      while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
      const std::string name(text_.substr(at_, end - at_));
      at_ = end;
      return call(name);
    }
    while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.' || text_[end] == '_')) ++end;
    if (end > at_ && end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      while (end < text_.size() && is_digit(text_[end])) ++end;
    }
    if (end == at_) fail(at_ < text_.size() ? fmt::format("unexpected '{}'", text_[at_]) : "it ends too early");
    const std::string_view number = text_.substr(at_, end - at_);
    at_ = end;
    if (const std::optional<int64_t> value = python_int(number)) return Node::integer(*value);
    if (is_python_int(number)) fail("integer beyond 64 bits");
    if (const std::optional<double> value = python_float(number)) return Node::floating(*value);
    fail(fmt::format("'{}' is not a number", number));
  }

  Node call(const std::string& name) {
    static const std::vector<std::string> names = {"min", "max", "abs", "floor", "ceil", "round", "int", "float"};
    if (name == "inf") return Node::floating(INFINITY);
    if (name == "nan") return Node::floating(NAN);
    if (!accept("(")) fail(fmt::format("'{}' is neither a number nor a function", name), name_notes(name, names));
    std::vector<Node> args;
    do args.push_back(sum());
    while (accept(","));
    if (!accept(")")) fail("missing ')'");
    if (name == "min" || name == "max") {
      Node best = args[0];
      for (const Node& arg : args) {
        if (name == "min" ? arg.as_double() < best.as_double() : arg.as_double() > best.as_double()) best = arg;
      }
      return best;
    }
    if (args.size() != 1) fail(fmt::format("{}() takes one number", name));
    const double value = args[0].as_double();
    if (name == "abs") return value < 0 ? negated(args[0]) : args[0];
    if (name == "float") return Node::floating(value);
    if (name == "floor") return whole(args[0], std::floor(value));
    if (name == "ceil") return whole(args[0], std::ceil(value));
    if (name == "round") return whole(args[0], std::nearbyint(value));
    if (name == "int") return whole(args[0], std::trunc(value));
    fail(fmt::format("unknown function '{}'", name), name_notes(name, names));
  }

  Node whole(const Node& original, double rounded) const {
    if (original.is(Kind::integer)) return original;
    // 2^63 is the first double that int64_t cannot hold.
    if (!(rounded < 9223372036854775808.0 && rounded >= -9223372036854775808.0)) fail("integer beyond 64 bits");
    return Node::integer(static_cast<int64_t>(rounded));
  }

  static Node negated(const Node& a) {
    if (a.is(Kind::integer)) return Node::integer(checked_mul(a.as_int(), -1, "eval"));
    return Node::floating(-a.as_double());
  }

  static Node add(const Node& a, const Node& b) {
    if (both_int(a, b)) return Node::integer(checked_add(a.as_int(), b.as_int(), "eval"));
    return Node::floating(a.as_double() + b.as_double());
  }

  static Node multiply(const Node& a, const Node& b) {
    if (both_int(a, b)) return Node::integer(checked_mul(a.as_int(), b.as_int(), "eval"));
    return Node::floating(a.as_double() * b.as_double());
  }

  Node divide_down(const Node& a, const Node& b) const {
    if (b.as_double() == 0) fail("division by zero");
    if (both_int(a, b)) {
      if (b.as_int() == -1) return negated(a);
      return Node::integer(floor_divide(a.as_int(), b.as_int()));
    }
    return Node::floating(std::floor(a.as_double() / b.as_double()));
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Node calculate(std::string_view expression) { return Calculator(expression).result(); }

}  // namespace modelmeter::config
