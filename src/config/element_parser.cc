#include "config/element_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>

#include "config/characters.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

constexpr std::string_view kUnquoted = "/-\\+.$%*@?|";
constexpr std::string_view kEscapable = "\\()[]{}:=, \t";

enum class TokenKind { none, id, null, boolean, integer, floating, escape, blank, character };

struct Token {
  TokenKind kind = TokenKind::none;
  size_t length = 0;
};

// [0-9]('_'?[0-9])* from i; the end.
size_t digits(std::string_view text, size_t i) {
  if (i >= text.size() || !is_digit(text[i])) return i;
  for (++i; i < text.size(); ++i) {
    if (is_digit(text[i])) continue;
    if (text[i] == '_' && i + 1 < text.size() && is_digit(text[i + 1])) continue;
    break;
  }
  return i;
}

// '0' | [1-9]('_'?[0-9])*
size_t unsigned_int(std::string_view text, size_t i) {
  if (i < text.size() && text[i] == '0') return i + 1;
  return digits(text, i);
}

bool is_word(std::string_view text, size_t i, std::string_view word) {
  if (text.size() < i + word.size()) return false;
  for (size_t k = 0; k < word.size(); ++k) {
    if (std::tolower(static_cast<unsigned char>(text[i + k])) != word[k]) return false;
  }
  return true;
}

// The longest number at i, with its sign.
Token number_at(std::string_view text, size_t i) {
  const size_t begin = i;
  if (text[i] == '+' || text[i] == '-') ++i;
  if (is_word(text, i, "inf") || is_word(text, i, "nan")) {
    return {TokenKind::floating, i + 3 - begin};
  }
  const size_t whole = unsigned_int(text, i);
  size_t end = whole;
  bool is_float = false;
  if (whole < text.size() && text[whole] == '.') {
    const size_t fraction = digits(text, whole + 1);
    if (whole > i || fraction > whole + 1) {
      end = fraction;
      is_float = true;
    }
  }
  if (end == i) return {};
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    size_t power = end + 1;
    if (power < text.size() && (text[power] == '+' || text[power] == '-')) ++power;
    if (const size_t power_end = digits(text, power); power_end > power) {
      end = power_end;
      is_float = true;
    }
  }
  return {is_float ? TokenKind::floating : TokenKind::integer, end - begin};
}

// The token at i of unquoted text: the longest match, then the order of the grammar.
Token token(std::string_view text, size_t i) {
  const char c = text[i];
  if (c == ' ' || c == '\t') {
    size_t end = i;
    while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
    return {TokenKind::blank, end - i};
  }
  if (c == '\\') {
    size_t end = i;
    while (end + 1 < text.size() && text[end] == '\\' && kEscapable.find(text[end + 1]) != std::string_view::npos) {
      end += 2;
    }
    return end > i ? Token{TokenKind::escape, end - i} : Token{TokenKind::character, 1};
  }
  if (is_letter(c)) {
    size_t end = i;
    while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) ++end;
    const size_t length = end - i;
    const auto is = [&](std::string_view word) { return length == word.size() && is_word(text, i, word); };
    if (is("null")) return {TokenKind::null, length};
    if (is("true") || is("false")) return {TokenKind::boolean, length};
    if (is("inf") || is("nan")) return {TokenKind::floating, length};
    return {TokenKind::id, length};
  }
  if (is_digit(c) || c == '.' || c == '+' || c == '-') {
    if (const Token found = number_at(text, i); found.length > 0) return found;
  }
  if (kUnquoted.find(c) != std::string_view::npos) return {TokenKind::character, 1};
  return {};
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 1; i < text.size(); i += 2) out += text[i];
  return out;
}

}  // namespace

// Unquoted text as it was read.
struct ElementParser::Word {
  std::string text;
  int tokens = 0;  // that are not blanks around it
  TokenKind only = TokenKind::none;
  std::optional<Node> value;  // of an interpolation that stands alone
};

ElementParser::Nesting::Nesting(ElementParser& parser) : parser_(parser) {
  constexpr int most_nested = 200;
  if (++parser_.depth_ > most_nested) parser_.fail_at(parser_.at_, "nested too deeply");
}

ElementParser::Nesting::~Nesting() { --parser_.depth_; }

bool ElementParser::accept(char c) {
  if (peek() != c || at_end()) return false;
  ++at_;
  return true;
}

void ElementParser::expect(char c, std::string_view what) {
  if (!accept(c)) fail(what);
}

void ElementParser::skip_blanks() {
  while (peek() == ' ' || peek() == '\t') ++at_;
}

void ElementParser::expect_end() {
  skip_blanks();
  if (!at_end()) fail("the end");
}

Mark ElementParser::mark(size_t offset) const { return site_ ? *site_ : command_line_mark(source_, offset); }

void ElementParser::fail_at(size_t offset, std::string message, std::vector<std::string> notes) const {
  if (site_) message += fmt::format(" (in '{}', at character {})", text(), offset + 1);
  throw Error(std::move(message), mark(offset).span(), std::move(notes));
}

void ElementParser::fail(std::string_view expected) const {
  std::string found = "the end";
  if (!at_end()) {
    size_t end = at_ + 1;
    while (end < text().size() && (static_cast<unsigned char>(text()[end]) & 0xC0) == 0x80) ++end;
    found = fmt::format("'{}'", text().substr(at_, end - at_));
  }
  fail_at(at_, fmt::format("found {}, expected {}", found, expected),
          {"text with special characters must be in quotes, and the shell needs quotes of its own: 'key=\"a, b\"'"});
}

size_t ElementParser::count_backslashes() const {
  size_t count = 0;
  while (peek(count) == '\\') ++count;
  return count;
}

Node ElementParser::element() {
  skip_blanks();
  if (peek() == '[') return list();
  if (peek() == '{') return dict();
  return primitive();
}

Node ElementParser::primitive() {
  skip_blanks();
  const size_t begin = at_;
  if (peek() == '\'' || peek() == '"') {
    Node out = quoted();
    close();
    return out;
  }
  Word word = unquoted(false);
  if (word.tokens == 0) fail("a value");
  const Mark place = mark(begin);
  if (word.tokens > 1) return Node::string(std::move(word.text), place);
  if (word.value) {
    word.value->set_mark(place);
    return *word.value;
  }
  switch (word.only) {
    case TokenKind::null: return Node::null(place);
    case TokenKind::boolean: return Node::boolean(word.text.size() == 4, place);
    case TokenKind::integer:
      if (const std::optional<int64_t> value = python_int(word.text)) return Node::integer(*value, place);
      fail_at(begin, fmt::format("integer {} does not fit 64 bits", word.text));
    case TokenKind::floating: return Node::floating(python_float(word.text).value_or(0), place);
    default: return Node::string(std::move(word.text), place);
  }
}

std::string ElementParser::bare_text() {
  Word word = unquoted(false);
  if (word.tokens == 0) fail("a value");
  return std::move(word.text);
}

// Reads up to a delimiter; blanks around it are dropped.
ElementParser::Word ElementParser::unquoted(bool is_key) {
  Word word;
  std::string blanks;
  const auto add = [&](std::string_view piece) {
    if (word.tokens > 0) word.text += blanks;
    blanks.clear();
    word.text += piece;
    ++word.tokens;
  };
  while (!at_end()) {
    if (peek() == '$' && peek(1) == '{') {
      if (is_key) fail("a key, without interpolations");
      Node value = interpolation();
      add(value.is(Kind::string) ? value.as_string() : python_str(value));
      word.value = std::move(value);
      continue;
    }
    if (peek() == ':' && !is_key) {
      add(":");
      word.only = TokenKind::character;
      ++at_;
      continue;
    }
    const Token found = token(text(), at_);
    if (found.kind == TokenKind::none) break;
    const std::string_view piece = std::string_view(text()).substr(at_, found.length);
    at_ += found.length;
    if (found.kind == TokenKind::blank) {
      if (word.tokens > 0) {
        blanks += piece;
      }
      continue;
    }
    word.only = found.kind;
    add(found.kind == TokenKind::escape ? unescape(piece) : piece);
  }
  if (word.tokens != 1) word.value.reset();
  // An escaped text is a string, and so is a typed word with blanks or anything beside it.
  return word;
}

Node ElementParser::list() {
  const size_t begin = at_;
  const Nesting nesting(*this);
  expect('[', "'['");
  List items;
  skip_blanks();
  if (!accept(']')) {
    do {
      items.push_back(element());
      skip_blanks();
    } while (accept(','));
    expect(']', "',' or ']'");
  }
  close();
  return Node::list(std::move(items), mark(begin));
}

Key ElementParser::dict_key() {
  skip_blanks();
  Word word = unquoted(true);
  if (word.tokens == 0) fail("a key without quotes");
  if (word.tokens > 1) return word.text;
  switch (word.only) {
    case TokenKind::null: return Key("null", KeyKind::null);
    case TokenKind::boolean: return Key(word.text.size() == 4 ? "true" : "false", KeyKind::boolean);
    case TokenKind::integer:
      if (const std::optional<int64_t> value = python_int(word.text)) {
        return Key(std::to_string(*value), KeyKind::integer);
      }
      return word.text;
    case TokenKind::floating: return Key(python_repr(python_float(word.text).value_or(0)), KeyKind::floating);
    default: return word.text;
  }
}

Node ElementParser::dict() {
  const size_t begin = at_;
  const Nesting nesting(*this);
  expect('{', "'{'");
  Node out = Node::map({}, mark(begin));
  skip_blanks();
  if (!accept('}')) {
    do {
      skip_blanks();
      const Mark key_mark = mark(at_);
      Key key = dict_key();
      expect(':', "':'");
      Node value = element();
      out.set(std::move(key), std::move(value), key_mark);
      skip_blanks();
    } while (accept(','));
    expect('}', "',' or '}'");
  }
  close();
  return out;
}

}  // namespace modelmeter::config
