#include "config/interpolation_parser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/characters.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

constexpr std::string_view kNotInKeys = "\\{}()[]:. \t'\"";

bool is_identifier(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c)) return false;
  }
  return true;
}

}  // namespace

std::string Reference::text() const {
  return std::string(static_cast<size_t>(dots), '.') + fmt::format("{}", fmt::join(keys, "."));
}

Reference split_key(std::string_view key) {
  Reference out;
  size_t i = 0;
  while (i < key.size() && key[i] == '.') {
    ++out.dots;
    ++i;
  }
  std::string part;
  const auto flush = [&] {
    if (!part.empty()) out.keys.push_back(std::move(part));
    part.clear();
  };
  for (; i < key.size(); ++i) {
    if (key[i] == '.' || key[i] == '[' || key[i] == ']') {
      flush();
    } else {
      part += key[i];
    }
  }
  flush();
  return out;
}

InterpolationParser::InterpolationParser(std::string_view text, Mark site, Evaluator* evaluator)
    : ElementParser(std::make_shared<Source>(Source{"", std::string(text)}), 0, std::move(site)),
      evaluator_(evaluator) {}

void InterpolationParser::skip_all_blanks() {
  while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
}

bool InterpolationParser::escaped_interpolation(std::string& out) {
  const size_t count = count_backslashes();
  if (peek(count) != '$' || peek(count + 1) != '{') {
    out += std::string(count, '\\');
    at_ += count;
    return false;
  }
  out += std::string(count / 2, '\\');
  at_ += count;
  if (count % 2 == 0) return false;
  out += "${";
  at_ += 2;
  return true;
}

std::pair<std::optional<Reference>, Node> InterpolationParser::config_value() {
  std::string out;
  while (!at_end()) {
    if (peek() == '\\') {
      escaped_interpolation(out);
      continue;
    }
    if (peek() != '$' || peek(1) != '{') {
      out += text()[at_++];
      continue;
    }
    const bool first = at_ == 0;
    auto [reference, value] = parse_interpolation();
    if (first && at_end()) return {std::move(reference), std::move(value)};
    out += text_of(reference, value);
  }
  return {std::nullopt, Node::literal(std::move(out))};
}

Node InterpolationParser::single_element() {
  const size_t begin = text().find_first_not_of(" \t");
  const size_t end = text().find_last_not_of(" \t") + 1;
  if (begin == std::string::npos || (begin == 0 && end == text().size())) {
    Node out = element();
    expect_end();
    return out;
  }
  // With blanks around it, it is a text, and they are a part of it; the first that follows a backslash is in it
  // already.
  std::string out = text().substr(0, begin) + bare_text();
  const bool escaped = end < text().size() && text()[end - 1] == '\\';
  out += text().substr(std::min(text().size(), end + (escaped ? 1 : 0)));
  expect_end();
  return Node::literal(std::move(out));
}

Node InterpolationParser::look_up(const Reference& reference) {
  return evaluator_ ? evaluator_->look_up(reference) : Node::null();
}

std::string InterpolationParser::text_of(const std::optional<Reference>& reference, const Node& value) {
  return reference && evaluator_ ? evaluator_->look_up_text(*reference) : python_str(value);
}

Node InterpolationParser::interpolation() {
  auto [reference, value] = parse_interpolation();
  return reference ? look_up(*reference) : value;
}

// Text inside quotes; the quote itself ends it, but not within `${...}`.
Node InterpolationParser::quoted() {
  const size_t begin = at_;
  const char quote = text()[at_++];
  std::string out;
  for (;;) {
    if (at_end()) fail_at(begin, fmt::format("this {} has no end", quote == '"' ? "double quote" : "single quote"));
    const size_t backslashes = count_backslashes();
    if (peek(backslashes) == quote) {
      out += std::string(backslashes / 2, '\\');
      at_ += backslashes + 1;
      if (backslashes % 2 == 0) break;
      out += quote;
    } else if (backslashes > 0) {
      escaped_interpolation(out);
    } else if (peek() == '$' && peek(1) == '{') {
      const auto [reference, value] = parse_interpolation();
      out += text_of(reference, value);
    } else {
      out += text()[at_++];
    }
  }
  return Node::literal(std::move(out), mark(begin));
}

// One key of `${a.b}`, with interpolations inside put in; nothing where there is none.
std::optional<std::string> InterpolationParser::key() {
  if (peek() == '$' && peek(1) == '{') return python_str(interpolation());
  std::string out;
  while (!at_end() && kNotInKeys.find(peek()) == std::string_view::npos && !(peek() == '$' && peek(1) == '{')) {
    out += text()[at_++];
  }
  if (out.empty()) return std::nullopt;
  return out;
}

std::pair<std::optional<Reference>, Node> InterpolationParser::parse_interpolation() {
  const size_t begin = at_;
  const Nesting nesting(*this);
  at_ += 2;
  skip_all_blanks();
  Reference reference;
  bool can_be_resolver = true;
  bool name_is_text = true, has_pointer = false;
  std::string wrong_name;  // an interpolation in the name that is no string
  while (accept('.')) ++reference.dots;
  if (reference.dots > 0) can_be_resolver = false;
  for (bool first = true;; first = false) {
    const bool bracket = accept('[');
    if (!first && !bracket && !accept('.')) break;
    const bool nested = peek() == '$' && peek(1) == '{';
    const size_t key_begin = at_;
    if (bracket) can_be_resolver = false;
    if (nested) {
      has_pointer = true;
      const Node value = interpolation();
      if (!value.is(Kind::string) && !value.is(Kind::null)) {
        name_is_text = false;
        wrong_name =
            fmt::format("the name of a resolver must be a string, but {} resolved to `{}`, {}",
                        text().substr(key_begin, at_ - key_begin), python_str(value), with_article(value.kind()));
      }
      reference.keys.push_back(python_str(value));
    } else {
      std::optional<std::string> part = key();
      if (!part) fail("a key");
      if (!is_identifier(*part)) can_be_resolver = false;
      reference.keys.push_back(std::move(*part));
    }
    if (bracket) expect(']', "']'");
  }
  skip_all_blanks();
  if (accept('}')) {
    // What a pointer says is read as a path: ${${ptr}} with ptr: a.b, a[0] or .x.
    if (has_pointer) reference = split_key(reference.text());
    return {std::move(reference), Node::null()};
  }
  if (peek() != ':' || !can_be_resolver) fail(can_be_resolver ? "'}' or ':'" : "'}'");
  ++at_;
  const std::vector<Node> args = arguments();
  if (!evaluator_) return {std::nullopt, Node::null()};
  if (!name_is_text) fail_at(begin, wrong_name);
  return {std::nullopt, evaluator_->call(reference.text(), args)};
}

// Elements with commas between, up to the '}'. An empty one is "".
std::vector<Node> InterpolationParser::arguments() {
  std::vector<Node> args;
  skip_all_blanks();
  if (accept('}')) return args;
  for (;;) {
    skip_all_blanks();
    if (peek() == ',' || peek() == '}') {
      args.push_back(Node::literal("", mark(at_)));
    } else {
      args.push_back(element());
    }
    skip_all_blanks();
    if (accept('}')) return args;
    expect(',', "',' or '}'");
  }
}

}  // namespace modelmeter::config
