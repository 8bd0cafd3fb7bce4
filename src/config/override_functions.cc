// The functions of the override grammar: casts, sweeps, and what orders and tags sweeps (Hydra 1.3.2).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include "base/edit_distance.h"
#include "config/override_parser.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

class Call {
 public:
  explicit Call(const OverrideCall& call) : call_(call) {}

  [[noreturn]] void fail(std::string reason, std::vector<std::string> notes = {}) const {
    throw Error(fmt::format("while evaluating '{}': {}", call_.text, reason), call_.mark.span(), std::move(notes));
  }

  // The named arguments that there may be.
  void allow(std::vector<std::string> names) const {
    for (const auto& [name, value] : call_.args) {
      if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
        fail(fmt::format("{}() has no argument '{}'", call_.name, name), name_notes(name, names));
      }
    }
  }

  std::vector<OverrideValue> positional() const {
    std::vector<OverrideValue> out;
    for (const auto& [name, value] : call_.args) {
      if (name.empty()) out.push_back(value);
    }
    return out;
  }

  const OverrideValue* named(std::string_view wanted) const {
    for (const auto& [name, value] : call_.args) {
      if (name == wanted) return &value;
    }
    return nullptr;
  }

  // An argument by position or by name.
  const OverrideValue* argument(size_t index, std::string_view name) const {
    if (const OverrideValue* value = named(name)) return value;
    if (index < call_.args.size() && call_.args[index].first.empty()) return &call_.args[index].second;
    return nullptr;
  }

  const Node& node(const OverrideValue& value) const {
    const Node* out = std::get_if<Node>(&value);
    if (!out) fail("a sweep stands where a value is expected");
    return *out;
  }

  const Node& number(const OverrideValue& value) const {
    const Node& out = node(value);
    if (!out.is(Kind::integer) && !out.is(Kind::floating)) {
      fail(fmt::format("expected a number, got {}", with_article(out.kind())));
    }
    return out;
  }

  std::vector<Node> nodes(const std::vector<OverrideValue>& values) const {
    std::vector<Node> out;
    for (const OverrideValue& value : values) out.push_back(node(value));
    return out;
  }

  const std::string& name() const { return call_.name; }

 private:
  const OverrideCall& call_;
};

using Cast = std::function<Node(const Call&, const Node&)>;

std::string plain_text(const Node& node) { return node.is(Kind::missing) ? "???" : node.as_string(); }
bool is_text(const Node& node) { return node.is(Kind::string) || node.is(Kind::missing); }

Node cast_int(const Call& call, const Node& value) {
  if (value.is(Kind::integer)) return value;
  if (value.is(Kind::boolean)) return Node::integer(value.as_bool() ? 1 : 0, value.mark());
  if (value.is(Kind::floating)) {
    const double number = std::trunc(value.as_double());
    if (std::isnan(number)) call.fail("cannot convert float NaN to integer");
    if (std::isinf(number)) call.fail("cannot convert float infinity to integer");
    // 2^63 is the first double that int64_t cannot hold.
    if (number >= 9223372036854775808.0 || number < -9223372036854775808.0) call.fail("integer beyond 64 bits");
    return Node::integer(static_cast<int64_t>(number), value.mark());
  }
  if (is_text(value)) {
    if (const std::optional<int64_t> number = python_int(plain_text(value))) {
      return Node::integer(*number, value.mark());
    }
    call.fail(fmt::format("invalid literal for int() with base 10: {}", text_repr(plain_text(value))));
  }
  call.fail("null cannot be cast to int");
}

Node cast_float(const Call& call, const Node& value) {
  if (value.is(Kind::floating)) return value;
  if (value.is(Kind::integer)) return Node::floating(value.as_double(), value.mark());
  if (value.is(Kind::boolean)) return Node::floating(value.as_bool() ? 1 : 0, value.mark());
  if (is_text(value)) {
    if (const std::optional<double> number = python_float(plain_text(value))) {
      return Node::floating(*number, value.mark());
    }
    call.fail(fmt::format("could not convert string to float: {}", text_repr(plain_text(value))));
  }
  call.fail("null cannot be cast to float");
}

Node cast_bool(const Call& call, const Node& value) {
  if (value.is(Kind::boolean)) return value;
  if (value.is(Kind::integer)) return Node::boolean(value.as_int() != 0, value.mark());
  if (value.is(Kind::floating)) return Node::boolean(value.as_double() != 0, value.mark());
  if (is_text(value)) {
    std::string text = plain_text(value);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (text == "true") return Node::boolean(true, value.mark());
    if (text == "false") return Node::boolean(false, value.mark());
    call.fail(fmt::format("Cannot cast '{}' to bool", plain_text(value)));
  }
  call.fail("null cannot be cast to bool");
}

Node cast_str(const Call& call, const Node& value) {
  if (value.is(Kind::null)) call.fail("null cannot be cast to str");
  if (value.is(Kind::boolean)) return Node::string(value.as_bool() ? "true" : "false", value.mark());
  return Node::string(python_str(value), value.mark());
}

// Into lists and dicts.
Node cast_deep(const Call& call, const Cast& cast, Node value) {
  if (value.is(Kind::list)) {
    for (Node& item : value.items()) item = cast_deep(call, cast, std::move(item));
    return value;
  }
  if (value.is(Kind::map)) {
    value.for_each_value([&](Node& item) { item = cast_deep(call, cast, std::move(item)); });
    return value;
  }
  return cast(call, value);
}

OverrideValue cast_value(const Call& call, const Cast& cast) {
  call.allow({"value"});
  std::vector<OverrideValue> args = call.positional();
  if (const OverrideValue* value = call.named("value")) args.push_back(*value);
  if (args.empty()) call.fail(fmt::format("{}() needs a value", call.name()));
  if (args.size() > 1) {
    Sweep sweep;
    sweep.simple = true;
    for (const Node& value : call.nodes(args)) sweep.values.push_back(cast_deep(call, cast, value));
    return sweep;
  }
  if (Node* node = std::get_if<Node>(&args[0])) return cast_deep(call, cast, std::move(*node));
  auto sweep = std::get<Sweep>(std::move(args[0]));
  const bool to_number = call.name() == "int" || call.name() == "float";
  if (sweep.kind == SweepKind::range && !to_number) call.fail("Range can only be cast to int or float");
  if (sweep.kind == SweepKind::interval && !to_number) {
    call.fail(fmt::format("Intervals cannot be cast to {}", call.name()));
  }
  if (sweep.kind == SweepKind::glob) call.fail(fmt::format("Globs cannot be cast to {}", call.name()));
  for (Node& value : sweep.values) value = cast_deep(call, cast, std::move(value));
  return sweep;
}

OverrideValue choice(const Call& call) {
  call.allow({});
  Sweep sweep;
  sweep.bare = true;
  sweep.values = call.nodes(call.positional());
  if (sweep.values.empty()) call.fail("empty choice is not legal");
  return sweep;
}

OverrideValue range(const Call& call) {
  call.allow({"start", "stop", "step"});
  const OverrideValue* start = call.argument(0, "start");
  const OverrideValue* stop = call.argument(1, "stop");
  const OverrideValue* step = call.argument(2, "step");
  if (!start && !stop) call.fail("range() needs a stop");
  if (call.positional().size() > 3) call.fail("range() takes a start, a stop and a step");
  Sweep sweep;
  sweep.kind = SweepKind::range;
  if (!stop || !start) {
    sweep.values = {Node::integer(0), call.number(stop ? *stop : *start)};
  } else {
    sweep.values = {call.number(*start), call.number(*stop)};
  }
  sweep.values.push_back(step ? call.number(*step) : Node::integer(1));
  return sweep;
}

OverrideValue interval(const Call& call) {
  call.allow({"start", "end"});
  const OverrideValue* start = call.argument(0, "start");
  const OverrideValue* end = call.argument(1, "end");
  if (!start || !end || call.positional().size() > 2) call.fail("interval() needs a start and an end");
  Sweep sweep;
  sweep.kind = SweepKind::interval;
  sweep.values = {Node::floating(call.number(*start).as_double()), Node::floating(call.number(*end).as_double())};
  return sweep;
}

std::vector<std::string> patterns(const Call& call, const OverrideValue* value) {
  if (!value) return {};
  const Node& node = call.node(*value);
  if (node.is(Kind::string)) return {node.as_string()};
  if (!node.is(Kind::list)) call.fail("glob() needs a string or a list of strings");
  std::vector<std::string> out;
  for (const Node& item : node.items()) {
    if (!item.is(Kind::string)) call.fail("glob() needs a string or a list of strings");
    out.push_back(item.as_string());
  }
  return out;
}

OverrideValue glob(const Call& call) {
  call.allow({"include", "exclude"});
  Sweep sweep;
  sweep.kind = SweepKind::glob;
  sweep.include = patterns(call, call.argument(0, "include"));
  sweep.exclude = patterns(call, call.argument(1, "exclude"));
  if (sweep.include.empty()) call.fail("glob() needs a pattern");
  return sweep;
}

// Python's order of numbers, of texts and of lists of them; they do not mix.
bool less(const Call& call, const Node& a, const Node& b) {
  const auto is_number = [](const Node& node) {
    return node.is(Kind::integer) || node.is(Kind::floating) || node.is(Kind::boolean);
  };
  const auto value = [](const Node& node) {
    return node.is(Kind::boolean) ? (node.as_bool() ? 1.0 : 0.0) : node.as_double();
  };
  if (a.is(Kind::integer) && b.is(Kind::integer)) return a.as_int() < b.as_int();
  if (is_number(a) && is_number(b)) return value(a) < value(b);
  if (is_text(a) && is_text(b)) return plain_text(a).compare(plain_text(b)) < 0;
  if (a.is(Kind::list) && b.is(Kind::list)) {
    const List &left = a.items(), &right = b.items();
    const auto [at, other] = std::mismatch(left.begin(), left.end(), right.begin(), right.end(), equal);
    if (at == left.end() || other == right.end()) return other != right.end();
    return less(call, *at, *other);
  }
  call.fail(fmt::format("'<' not supported between {} and {}", with_article(a.kind()), with_article(b.kind())));
}

// Insertion keeps the order of equal values: 1 and true.
void sort_values(const Call& call, std::vector<Node>& values, bool reverse) {
  const auto before = [&](const Node& a, const Node& b) { return reverse ? less(call, b, a) : less(call, a, b); };
  for (auto next = values.begin(); next != values.end(); ++next) {
    std::rotate(std::upper_bound(values.begin(), next, *next, before), next, next + 1);
  }
}

Node plus(const Node& a, const Node& b, int sign) {
  if (a.is(Kind::integer) && b.is(Kind::integer)) return Node::integer(a.as_int() + sign * b.as_int());
  return Node::floating(a.as_double() + sign * b.as_double());
}

// The same values in the wanted direction.
void sort_range(Sweep& sweep, bool reverse) {
  Node& start = sweep.values[0];
  Node& stop = sweep.values[1];
  Node& step = sweep.values[2];
  const bool falling = step.as_double() < 0;
  const Node size = falling ? plus(Node::integer(0), step, -1) : step;
  const double first = start.as_double(), last = stop.as_double();
  if (reverse ? first < last : first > last) {
    const int sign = reverse ? -1 : 1;
    const Node new_start = plus(stop, size, sign), new_stop = plus(start, size, sign);
    start = new_start;
    stop = new_stop;
  }
  step = reverse ? plus(Node::integer(0), size, -1) : size;
}

// The one list or sweep that sort and shuffle were given, or the several values.
OverrideValue to_order(const Call& call) {
  for (const char* name : {"sweep", "list"}) {
    if (const OverrideValue* value = call.named(name)) return *value;
  }
  std::vector<OverrideValue> args = call.positional();
  if (args.empty()) call.fail(fmt::format("empty {} input", call.name()));
  if (args.size() == 1) return args[0];
  Sweep sweep;
  sweep.simple = true;
  sweep.bare = true;
  sweep.values = call.nodes(args);
  return sweep;
}

OverrideValue sort(const Call& call) {
  call.allow({"sweep", "list", "reverse"});
  bool reverse = false;
  if (const OverrideValue* value = call.named("reverse")) {
    if (!call.node(*value).is(Kind::boolean)) call.fail("reverse must be true or false");
    reverse = call.node(*value).as_bool();
  }
  OverrideValue out = to_order(call);
  if (Node* node = std::get_if<Node>(&out)) {
    if (node->is(Kind::list)) sort_values(call, node->items(), reverse);
    return out;
  }
  Sweep& sweep = std::get<Sweep>(out);
  switch (sweep.kind) {
    case SweepKind::choice: sort_values(call, sweep.values, reverse); break;
    case SweepKind::range: sort_range(sweep, reverse); break;
    case SweepKind::interval:
    case SweepKind::glob: call.fail("only choices and ranges can be sorted");
  }
  return out;
}

OverrideValue shuffle(const Call& call) {
  call.allow({"sweep", "list"});
  OverrideValue out = to_order(call);
  if (Node* node = std::get_if<Node>(&out)) {
    if (!node->is(Kind::list)) call.fail("only lists and sweeps can be shuffled");
    List& items = node->items();
    std::mt19937 random(0);
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
    return out;
  }
  Sweep& sweep = std::get<Sweep>(out);
  if (sweep.kind == SweepKind::interval) call.fail("an interval has no order");
  sweep.shuffle = true;
  return out;
}

OverrideValue tag(const Call& call) {
  call.allow({"sweep"});
  std::vector<OverrideValue> args = call.positional();
  const OverrideValue* named = call.named("sweep");
  if (!named && args.empty()) call.fail("tag() needs a sweep");
  OverrideValue out = named ? *named : args.back();
  if (!named) args.pop_back();
  Sweep* sweep = std::get_if<Sweep>(&out);
  if (!sweep) call.fail("the last argument of tag() must be a sweep");
  sweep->tags.clear();
  for (const Node& node : call.nodes(args)) {
    if (!node.is(Kind::string)) call.fail(fmt::format("a tag is a text, not {}", with_article(node.kind())));
    sweep->tags.push_back(node.as_string());
  }
  std::sort(sweep->tags.begin(), sweep->tags.end());
  return out;
}

using Function = std::function<OverrideValue(const Call&)>;

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {
      {"bool", [](const Call& call) { return cast_value(call, cast_bool); }},
      {"choice", choice},
      {"float", [](const Call& call) { return cast_value(call, cast_float); }},
      {"glob", glob},
      {"int", [](const Call& call) { return cast_value(call, cast_int); }},
      {"interval", interval},
      {"range", range},
      {"shuffle", shuffle},
      {"sort", sort},
      {"str", [](const Call& call) { return cast_value(call, cast_str); }},
      {"tag", tag},
  };
  return table;
}

}  // namespace

OverrideValue evaluate(const OverrideCall& call) {
  const auto found = functions().find(call.name);
  if (found != functions().end()) return found->second(Call(call));
  std::vector<std::string> names;
  for (const auto& [name, function] : functions()) names.push_back(name);
  Call(call).fail(fmt::format("Unknown function '{}'", call.name), name_notes(call.name, names));
}

}  // namespace modelmeter::config
