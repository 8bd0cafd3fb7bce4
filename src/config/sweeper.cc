#include "config/sweeper.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/format.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

constexpr int64_t most_values = 1'000'000;  // of one axis
__extension__ using Wide = __int128;

[[noreturn]] void refuse(const Override& word, const std::string& why, std::vector<std::string> notes = {}) {
  throw Error(fmt::format("'{}': {}", word.text, why), word.mark.span(), std::move(notes));
}

// A decimal number as digits x 10^-places.
struct Decimal {
  Wide digits = 0;
  int places = 0;
};

Decimal decimal_of(const Override& word, const Node& value) {
  constexpr int most_places = 15;
  if (value.is(Kind::integer)) return {value.as_int(), 0};
  const std::string text = python_repr(value.as_double());
  Decimal out;
  int exponent = 0;
  bool fraction = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == 'e') {
      exponent = std::stoi(text.substr(i + 1));
      break;
    }
    if (text[i] == '.') {
      fraction = true;
    } else if (text[i] >= '0' && text[i] <= '9') {
      out.digits = out.digits * 10 + (text[i] - '0');
      if (fraction) ++out.places;
    } else if (text[i] != '-') {
      refuse(word, fmt::format("a range of {}", text));
    }
  }
  if (text[0] == '-') out.digits = -out.digits;
  out.places -= exponent;
  for (; out.places < 0; ++out.places) {
    if (out.digits > Wide{1} << 70 || out.digits < -(Wide{1} << 70)) refuse(word, "a range of numbers that large");
    out.digits *= 10;
  }
  while (out.places > 0 && out.digits % 10 == 0) {
    out.digits /= 10;
    --out.places;
  }
  if (out.places > most_places) refuse(word, fmt::format("a range with more than {} decimals", most_places));
  return out;
}

Wide scaled(const Decimal& value, int places) {
  Wide out = value.digits;
  for (int i = value.places; i < places; ++i) out *= 10;
  return out;
}

// digits x 10^-places, as Python reads that text.
double number_of(Wide digits, int places) {
  const bool negative = digits < 0;
  std::string text = to_string(Count::of(negative ? -digits : digits));
  const auto width = static_cast<size_t>(places);
  if (text.size() <= width) text.insert(0, width + 1 - text.size(), '0');
  if (places > 0) text.insert(text.size() - width, ".");
  return python_float((negative ? "-" : "") + text).value_or(0);
}

std::vector<Node> range_values(const Override& word, const Sweep& sweep) {
  const bool whole =
      std::all_of(sweep.values.begin(), sweep.values.end(), [](const Node& value) { return value.is(Kind::integer); });
  Decimal numbers[3];
  int places = 0;
  for (size_t i = 0; i < 3; ++i) {
    numbers[i] = decimal_of(word, sweep.values[i]);
    places = std::max(places, numbers[i].places);
  }
  const Wide start = scaled(numbers[0], places), stop = scaled(numbers[1], places), step = scaled(numbers[2], places);
  if (step == 0) refuse(word, "the step of a range is not 0");
  std::vector<Node> out;
  for (Wide at = start; step > 0 ? at < stop : at > stop; at += step) {
    if (static_cast<int64_t>(out.size()) == most_values) {
      refuse(word, fmt::format("a range of more than {} values", most_values));
    }
    out.push_back(whole ? Node::integer(static_cast<int64_t>(at)) : Node::floating(number_of(at, places)));
  }
  return out;
}

bool matches_any(const std::string& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; });
}

std::vector<Node> glob_values(const Repository& repository, const Override& word, const Sweep& sweep) {
  std::vector<Node> out;
  for (const std::string& option : repository.options(word.key)) {
    if (matches_any(option, sweep.include) && !matches_any(option, sweep.exclude)) out.push_back(Node::literal(option));
  }
  return out;
}

// Hydra takes the quotes off arguments of functions, so that '1' of choice('1') is a number to the job. A text that
// cannot be read without them keeps them.
Node unquoted(const Node& value) {
  if (!value.is(Kind::string) || value.quote() == 0) return value;
  if (value.as_string().empty()) return Node::literal("", value.mark());
  try {
    const OverrideValue read = parse_override_value(to_override(Node::literal(value.as_string())));
    if (const Node* node = std::get_if<Node>(&read)) return *node;
  } catch (const Error&) {
    return value;
  }
  return value;
}

std::vector<Node> values_of(const Repository& repository, const Override& word) {
  const Sweep& sweep = std::get<Sweep>(*word.value);
  std::vector<Node> out;
  switch (sweep.kind) {
    case SweepKind::choice:
      out = sweep.values;
      if (sweep.bare) std::transform(out.begin(), out.end(), out.begin(), unquoted);
      break;
    case SweepKind::range: out = range_values(word, sweep); break;
    case SweepKind::glob: out = glob_values(repository, word, sweep); break;
    case SweepKind::interval:
      refuse(word, "BasicSweeper does not support sweep type : INTERVAL",
             {"an interval has no values of its own: range(start,stop,step) or choice(a,b) say which"});
  }
  if (sweep.shuffle) {
    std::mt19937 random(0);
    for (size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[random() % i]);
  }
  return out;
}

std::string key_with_prefix(const Override& word) {
  switch (word.kind) {
    case OverrideKind::change: break;
    case OverrideKind::add: return "+" + word.key_element();
    case OverrideKind::force_add: return "++" + word.key_element();
    case OverrideKind::remove: return "~" + word.key_element();
  }
  return word.key_element();
}

ProductAxis axis_of(const Repository& repository, const std::string& text) {
  ProductAxis out{"", parse_override(text), {}, {}};
  out.key = key_with_prefix(out.word);
  if (out.word.key == "hydra" || out.word.key.rfind("hydra.", 0) == 0 || out.word.key.rfind("hydra/", 0) == 0) {
    refuse(out.word, "Sweeping over Hydra's configuration is not supported");
  }
  if (out.swept()) {
    out.values = values_of(repository, out.word);
  } else if (out.word.value) {
    out.values = {out.word.node()};
  }
  for (const Node& value : out.values) out.words.push_back(fmt::format("{}={}", out.key, to_override(value)));
  if (!out.swept() && !out.word.value) out.words = {out.key + "=null"};
  return out;
}

}  // namespace

Product Product::of(const Repository& repository, const std::vector<std::string>& words) {
  Product out;
  for (const std::string& text : words) {
    ProductAxis axis = axis_of(repository, text);
    const auto same = std::find_if(out.axes_.begin(), out.axes_.end(),
                                   [&](const ProductAxis& other) { return other.key == axis.key; });
    if (same != out.axes_.end()) {
      *same = std::move(axis);
    } else {
      out.axes_.push_back(std::move(axis));
    }
  }
  for (const ProductAxis& axis : out.axes_) {
    if (__builtin_mul_overflow(out.size_, static_cast<int64_t>(axis.words.size()), &out.size_)) {
      throw Error("the sweep has more than 2^63 jobs");
    }
  }
  return out;
}

void Product::choose(int64_t number, std::vector<size_t>& out) const {
  out.resize(axes_.size());
  for (size_t i = axes_.size(); i-- > 0;) {
    const auto values = static_cast<int64_t>(axes_[i].words.size());
    out[i] = static_cast<size_t>(number % values);
    number /= values;
  }
}

std::vector<std::string> Product::job(int64_t number) const {
  std::vector<size_t> chosen;
  choose(number, chosen);
  std::vector<std::string> out;
  for (size_t i = 0; i < axes_.size(); ++i) out.push_back(axes_[i].words[chosen[i]]);
  return out;
}

std::vector<std::string> sweeper_params(const Node& params) {
  std::vector<std::string> out;
  if (params.is(Kind::null)) return out;
  if (!params.is(Kind::map))
    throw Error("hydra.sweeper.params is a map of keys and what they are swept over", params.span());
  for (const Entry& entry : params.entries()) {
    out.push_back(fmt::format("{}={}", entry.key.text,
                              entry.value.is(Kind::string) ? entry.value.as_string() : python_str(entry.value)));
  }
  return out;
}

}  // namespace modelmeter::config
