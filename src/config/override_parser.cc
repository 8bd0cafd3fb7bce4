#include "config/override_parser.h"

#include <fmt/format.h>

#include "config/characters.h"

namespace modelmeter::config {
namespace {

// A name in a path begins with a letter, _ or $ and goes on with these, digits and -.
bool begins_name(char c) { return is_letter(c) || c == '$'; }
bool is_in_name(char c) { return begins_name(c) || is_digit(c) || c == '-'; }

}  // namespace

Override OverrideParser::override_word() {
  Override out;
  out.text = text();
  out.mark = mark(0);
  if (accept('~')) {
    out.kind = OverrideKind::remove;
  } else if (accept('+')) {
    out.kind = accept('+') ? OverrideKind::force_add : OverrideKind::add;
  }
  out.key_mark = mark(at_);
  out.key = key();
  if (accept('@')) out.package = package();
  if (at_end() && out.kind == OverrideKind::remove) return out;
  if (at_end()) {
    fail_at(at_, fmt::format("found the end, expected '=' and a value behind '{}'", text()),
            {fmt::format("an override is key=value, +key=value, ++key=value or ~key: {}=<value>", text())});
  }
  expect('=', "'='");
  skip_blanks();
  out.mark = mark(at_);
  if (at_end()) {
    out.value = Node::string("", out.mark);
    return out;
  }
  out.value = value();
  expect_end();
  // Unquoted text takes them off.
  if (closed_at() < text().size() && text().find_first_not_of(" \t", closed_at()) == std::string::npos) {
    at_ = closed_at();
    fail("the end, without blanks");
  }
  return out;
}

// A name, or an index into a list without leading zeros; "" where there is neither.
std::string OverrideParser::key_part() {
  const size_t begin = at_;
  if (begins_name(peek())) {
    while (is_in_name(peek())) ++at_;
  } else if (!accept('0')) {
    while (is_digit(peek()) || (peek() == '_' && at_ > begin && is_digit(peek(1)))) ++at_;
  }
  return text().substr(begin, at_ - begin);
}

std::string OverrideParser::package() {
  const size_t begin = at_;
  const bool is_index = is_digit(peek());
  std::string out = key_part();
  if (is_index && peek() != '.') fail_at(begin, "a key begins with a letter or _");
  if (out.empty() && peek() == '.') fail("a key: it begins with a letter or _");
  while (!out.empty() && accept('.')) {
    const std::string part = key_part();
    if (part.empty()) fail("a key, or the index of an item (from 0)");
    out += "." + part;
  }
  return out;
}

std::string OverrideParser::key() {
  const size_t begin = at_;
  std::string out = package();
  if (peek() != '/') return out;
  if (out.empty() || out.find_first_of(".$") != std::string::npos) fail_at(begin, "a config group is group/subgroup");
  while (accept('/')) {
    const std::string part = package();
    if (part.empty() || !is_letter(part[0]) || part.find_first_of(".$") != std::string::npos) {
      fail("the name of a config group");
    }
    out += "/" + part;
  }
  return out;
}

bool OverrideParser::at_call() const {
  size_t i = 0;
  if (!is_letter(peek())) return false;
  while (is_letter(peek(i)) || is_digit(peek(i))) ++i;
  while (peek(i) == ' ' || peek(i) == '\t') ++i;
  return peek(i) == '(';
}

OverrideValue OverrideParser::value() {
  OverrideValue first = element_or_sweep();
  skip_blanks();
  if (peek() != ',') return first;
  Sweep sweep;
  sweep.simple = true;
  const auto add = [&](OverrideValue&& item, size_t begin) {
    if (std::holds_alternative<Sweep>(item)) fail_at(begin, "a sweep cannot be a part of another sweep");
    sweep.values.push_back(std::get<Node>(std::move(item)));
  };
  add(std::move(first), 0);
  while (accept(',')) {
    skip_blanks();
    const size_t begin = at_;
    add(element_or_sweep(), begin);
    skip_blanks();
  }
  return sweep;
}

OverrideValue OverrideParser::element_or_sweep() {
  skip_blanks();
  if (at_call()) return call();
  return ElementParser::element();
}

Node OverrideParser::element() {
  const size_t begin = at_;
  OverrideValue out = element_or_sweep();
  if (std::holds_alternative<Sweep>(out)) fail_at(begin, "a sweep cannot be inside a list or a dict");
  return std::get<Node>(std::move(out));
}

OverrideValue OverrideParser::call() {
  OverrideCall call;
  const size_t begin = at_;
  const Nesting nesting(*this);
  call.mark = mark(begin);
  while (is_letter(peek()) || is_digit(peek())) call.name += text()[at_++];
  skip_blanks();
  expect('(', "'('");
  skip_blanks();
  if (!accept(')')) {
    do {
      skip_blanks();
      std::string name;
      if (is_letter(peek())) {
        size_t i = 0;
        while (is_letter(peek(i)) || is_digit(peek(i))) ++i;
        size_t after = i;
        while (peek(after) == ' ' || peek(after) == '\t') ++after;
        if (peek(after) == '=') {
          name = text().substr(at_, i);
          at_ += after + 1;
          skip_blanks();
        }
      }
      if (name.empty() && !call.args.empty() && !call.args.back().first.empty()) {
        fail("a named argument: positional ones come first");
      }
      call.args.emplace_back(std::move(name), element_or_sweep());
      skip_blanks();
    } while (accept(','));
    expect(')', "',' or ')'");
  }
  call.text = text().substr(begin, at_ - begin);
  close();
  return evaluate(call);
}

// '${' up to the first '}', as it is: OmegaConf reads it when the value is used.
Node OverrideParser::interpolation() {
  const size_t begin = at_;
  const size_t end = text().find('}', at_);
  if (end == std::string::npos || end == begin + 2) fail("an interpolation ${key}");
  at_ = end + 1;
  return Node::string(text().substr(begin, at_ - begin), mark(begin));
}

// Only backslashes right before a quote are escapes.
Node OverrideParser::quoted() {
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
      out += std::string(backslashes, '\\');
      at_ += backslashes;
    } else {
      out += text()[at_++];
    }
  }
  return Node::string(std::move(out), mark(begin), quote);
}

}  // namespace modelmeter::config
