#include "config/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/edit_distance.h"
#include "config/key.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

// The keys that instantiate reserves; every node may have them.
constexpr std::string_view kReserved[] = {"_target_", "_args_", "_recursive_", "_convert_", "_partial_"};

// A value as a message shows it: 'abc', 3, a list.
std::string shown(const Node& node) {
  if (node.is(Kind::string)) return fmt::format("'{}'", node.as_string());
  if (node.is_container()) return std::string(with_article(node.kind()));
  if (node.is(Kind::null)) return "null";
  if (node.is(Kind::boolean)) return node.as_bool() ? "true" : "false";
  return python_str(node);
}

// Refuses what no reader can take.
void require_value(const View& view) {
  if (view.node().is(Kind::missing)) {
    throw view.error("Missing mandatory value ??\?", {fmt::format("set it with {}=<value>", view.path())});
  }
  if (view.node().is_interpolation()) {
    throw Error(ErrorCode::internal, fmt::format("{}: '{}' was not resolved", view.path(), view.node().as_string()),
                view.span());
  }
}

// _args_, _partial_, _recursive_ and _convert_ where they say what is done anyway. What is built here takes its
// arguments by name, at once, with all that is in it.
void require_without_effect(const Entry& entry, const std::string& path) {
  const Node& value = entry.value;
  const bool is_true = value.is(Kind::boolean) && value.as_bool(), is_false = value.is(Kind::boolean) && !is_true;
  const bool is_list = value.is(Kind::list) && value.items().empty();
  const bool fits = entry.key.text == "_args_"        ? is_list
                    : entry.key.text == "_partial_"   ? is_false
                    : entry.key.text == "_recursive_" ? is_true
                                                      : value.is(Kind::string);
  if (fits) return;
  const char* why = entry.key.text == "_args_"        ? "arguments are given by their names"
                    : entry.key.text == "_partial_"   ? "a model is built at once: only false"
                    : entry.key.text == "_recursive_" ? "what is in it is built too: only true"
                                                      : "expected a text";
  throw Error(fmt::format("{}: {}", path, why), value.span());
}

// All errors as one: the first, and the others as its notes.
Error as_one(const std::vector<Error>& errors) {
  constexpr size_t most_shown = 10;
  Error out = errors.front();
  for (size_t i = 1; i < std::min(errors.size(), most_shown); ++i) {
    out = out.with_note(std::string(errors[i].what()).substr(std::string_view("error: ").size()));
  }
  if (errors.size() > most_shown) out = out.with_note(fmt::format("and {} more", errors.size() - most_shown));
  return out;
}

thread_local ErrorCollector* current_collector = nullptr;

}  // namespace

ErrorCollector::ErrorCollector() : outer_(current_collector) { current_collector = this; }
ErrorCollector::~ErrorCollector() { current_collector = outer_; }
ErrorCollector* ErrorCollector::current() { return current_collector; }

void ErrorCollector::add(const Error& error) {
  const bool known = std::any_of(errors_.begin(), errors_.end(),
                                 [&](const Error& other) { return other.message() == error.message(); });
  if (!known) errors_.push_back(error);
}

Error ErrorCollector::together() const { return as_one(errors_); }

bool View::has(std::string_view key) const {
  const Node* found = node_->find(key);
  return found && !found->is(Kind::null);
}

std::vector<std::string> View::keys() const {
  require_value(*this);
  if (!node_->is(Kind::map)) throw expected("a map");
  return node_->keys();
}

View View::at(std::string_view key) const {
  if (const Node* found = node_->find(key)) return View(*found, key_below(path_, key));
  throw Error(fmt::format("{}: missing", key_below(path_, key)), span(), name_notes(key, keys(), "keys here"));
}

View View::child(std::string_view key) const {
  View found = at(key);
  require_value(found);
  if (!found.node().is(Kind::map)) throw found.expected("a map");
  return found;
}

std::optional<View> View::optional_child(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return child(key);
}

std::vector<View> View::items() const {
  require_value(*this);
  if (!node_->is(Kind::list)) throw expected("a list");
  std::vector<View> out;
  for (size_t i = 0; i < node_->items().size(); ++i) {
    out.emplace_back(node_->items()[i], fmt::format("{}[{}]", path_, i));
  }
  return out;
}

std::string View::get_choice(std::string_view key, const std::vector<std::string>& allowed) const {
  return collected(
      [&] {
        std::string value = at(key).as<std::string>();
        if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
          throw at(key).error(fmt::format("unknown value '{}'", value), name_notes(value, allowed));
        }
        return value;
      },
      allowed.empty() ? std::string() : allowed.front());
}

void View::require_known_keys(std::initializer_list<std::string_view> known) const {
  require_known_keys(std::vector<std::string>(known.begin(), known.end()));
}

void View::require_known_keys(const std::vector<std::string>& known) const {
  keys();
  std::vector<Error> unknown;
  for (const Entry& entry : node_->entries()) {
    const std::string& key = entry.key.text;
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (key == "_target_") continue;
    const Mark& mark = entry.key_mark.source ? entry.key_mark : entry.value.mark();
    if (std::find(std::begin(kReserved), std::end(kReserved), key) != std::end(kReserved)) {
      require_without_effect(entry, key_below(path_, key));
      continue;
    }
    std::vector<std::string> notes = name_notes(key, known, "known keys");
    if (!unknown.empty() && !notes.empty()) notes.pop_back();  // the first error lists them
    unknown.emplace_back(fmt::format("{}: unknown key", key_below(path_, key)), mark.span(), std::move(notes));
  }
  if (unknown.empty()) return;
  if (ErrorCollector* const collector = ErrorCollector::current()) {
    for (const Error& error : unknown) collector->add(error);
  } else {
    throw as_one(unknown);
  }
}

Error View::error(std::string_view message, std::vector<std::string> notes) const {
  return Error(path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message), span(), std::move(notes));
}

Error View::expected(std::string_view what) const {
  return error(fmt::format("expected {}, got {}", what, shown(*node_)));
}

void read(const View& view, bool& out) {
  require_value(view);
  if (!view.node().is(Kind::boolean)) throw view.expected("true or false");
  out = view.node().as_bool();
}

void read(const View& view, int64_t& out) {
  require_value(view);
  if (!view.node().is(Kind::integer)) throw view.expected("an integer");
  out = view.node().as_int();
}

void read(const View& view, int& out) {
  int64_t value = 0;
  read(view, value);
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    throw view.expected("an integer of 32 bits");
  }
  out = static_cast<int>(value);
}

void read(const View& view, double& out) {
  require_value(view);
  if (!view.node().is(Kind::integer) && !view.node().is(Kind::floating)) throw view.expected("a number");
  out = view.node().as_double();
  if (!std::isfinite(out)) throw view.expected("a finite number");
}

void read(const View& view, std::string& out) {
  require_value(view);
  if (!view.node().is(Kind::string)) throw view.expected("a string");
  out = view.node().as_string();
}

}  // namespace modelmeter::config
