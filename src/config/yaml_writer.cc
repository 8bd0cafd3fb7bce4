#include "config/yaml_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

constexpr int kWidth = 80;
constexpr int kIndent = 2;
// PyYAML counts the tag of a key (!!str) towards the longest simple key.
constexpr size_t kMaxSimpleKey = 128 - 5;

std::u32string decode(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
    for (size_t k = 1; k < length && i + k < text.size(); ++k) {
      c = (c << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3F);
    }
    out += c;
    i += length;
  }
  return out;
}

void encode(char32_t c, std::string& out) {
  const auto byte = [&](char32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | (c >> 6));
    byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3F));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  }
}

bool is_break(char32_t c) { return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029; }
bool is_blank_or_break(char32_t c) { return c == 0 || c == ' ' || c == '\t' || c == '\r' || is_break(c); }
bool is_in(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

bool is_printable(char32_t c) {
  if (c == '\n' || (c >= 0x20 && c <= 0x7E)) return true;
  if (c == 0xFEFF) return false;
  return c == 0x85 || (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c < 0x10FFFF);
}

// Which styles a string may be written in, in block context.
struct Analysis {
  bool plain = true;
  bool single_quoted = true;
  bool multiline = false;
};

Analysis analyze(const std::u32string& text) {
  Analysis out;
  if (text.empty()) return out;
  bool indicators = text.compare(0, 3, U"---") == 0 || text.compare(0, 3, U"...") == 0;
  bool special = false, break_space = false, space_break = false, previous_space = false, previous_break = false;
  bool preceded_by_blank = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    const bool followed_by_blank = i + 1 >= text.size() || is_blank_or_break(text[i + 1]);
    if (i == 0) {
      if (is_in(c, U"#,[]{}&*!|>'\"%@`")) indicators = true;
      if ((c == '?' || c == ':' || c == '-') && followed_by_blank) indicators = true;
    } else {
      if (c == ':' && followed_by_blank) indicators = true;
      if (c == '#' && preceded_by_blank) indicators = true;
    }
    if (is_break(c)) out.multiline = true;
    if (!is_printable(c)) special = true;
    if (c == ' ' && previous_break) break_space = true;
    if (is_break(c) && previous_space) space_break = true;
    previous_space = c == ' ';
    previous_break = is_break(c);
    preceded_by_blank = is_blank_or_break(c);
  }
  const bool edge = text.front() == ' ' || text.back() == ' ' || is_break(text.front()) || is_break(text.back());
  out.plain = !edge && !break_space && !space_break && !special && !out.multiline && !indicators;
  out.single_quoted = !break_space && !space_break && !special;
  return out;
}

// What OmegaConf quotes though YAML would not have it so.
bool needs_quotes(std::string_view text) {
  for (const char* word : {"y",    "Y",    "yes",   "Yes",   "YES",   "n",  "N",  "no", "No",  "NO",  "true",
                           "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF"}) {
    if (text == word) return true;
  }
  return is_python_int(text) || python_float(text).has_value();
}

std::string float_text(double value) {
  std::string out = python_repr(value);
  if (out == "inf") return ".inf";
  if (out == "-inf") return "-.inf";
  if (out == "nan") return ".nan";
  const size_t e = out.find('e');
  if (e != std::string::npos && out.find('.') == std::string::npos) out.insert(e, ".0");
  return out;
}

std::string escape(char32_t c) {
  switch (c) {
    case 0: return "\\0";
    case 0x07: return "\\a";
    case 0x08: return "\\b";
    case 0x09: return "\\t";
    case 0x0A: return "\\n";
    case 0x0B: return "\\v";
    case 0x0C: return "\\f";
    case 0x0D: return "\\r";
    case 0x1B: return "\\e";
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case 0x85: return "\\N";
    case 0xA0: return "\\_";
    case 0x2028: return "\\L";
    case 0x2029: return "\\P";
    default: break;
  }
  const auto value = static_cast<uint32_t>(c);
  if (value <= 0xFF) return fmt::format("\\x{:02X}", value);
  if (value <= 0xFFFF) return fmt::format("\\u{:04X}", value);
  return fmt::format("\\U{:08X}", value);
}

bool needs_escape(char32_t c) {
  if (c == '"' || c == '\\' || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xFEFF) return true;
  return !((c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD));
}

// Most words of a report: letters, digits and a few signs that mean nothing to YAML. No number begins with a letter but
// those that are words.
bool is_plain_word(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto plain = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/'; };
  if (text.empty() || !letter(text.front()) || !std::all_of(text.begin(), text.end(), plain)) return false;
  if (text.size() > std::string_view("infinity").size()) return true;
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const char* word : {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"}) {
    if (lower == word) return false;
  }
  return true;
}

}  // namespace

// --- structure ---

void YamlWriter::begin(bool is_map) {
  before_value();
  const int indent = levels_.empty() ? 0 : value_indent();
  // A list is not indented within a map.
  const bool outdented = !is_map && !levels_.empty() && levels_.back().is_map && levels_.back().simple_key;
  levels_.push_back({is_map, outdented ? indent - kIndent : indent});
}

void YamlWriter::end(std::string_view empty) {
  const bool begun = levels_.back().begun;
  levels_.pop_back();
  if (begun) return;
  before_scalar();
  put(empty);
}

int YamlWriter::value_indent() const { return levels_.empty() ? 0 : levels_.back().indent + kIndent; }

// The first key or item of the innermost map or list: it stands on a line of its own, or behind "- " of the list that
// it is an item of.
void YamlWriter::open_block() {
  Level& level = levels_.back();
  if (level.begun) return;
  level.begun = true;
  if (levels_.size() == 1) return;
  const Level& outer = levels_[levels_.size() - 2];
  if (outer.is_map && outer.simple_key) return;
  if (outer.is_map) put(" ");
  fresh_ = true;
}

// An item of a list gets its line; the value of a map has it from its key.
void YamlWriter::before_value() {
  if (levels_.empty() || levels_.back().is_map) return;
  open_block();
  start_line(levels_.back().indent);
  put("- ");
}

void YamlWriter::before_scalar() {
  if (!levels_.empty() && levels_.back().is_map) put(" ");
}

void YamlWriter::start_key(bool simple) {
  open_block();
  start_line(levels_.back().indent);
  levels_.back().simple_key = simple;
  if (!simple) put("? ");
}

void YamlWriter::end_key(bool simple) {
  if (!simple) start_line(levels_.back().indent);
  put(":");
}

void YamlWriter::key(std::string_view name) {
  bool simple = is_plain_word(name) && name.size() < kMaxSimpleKey;
  if (!simple) {
    const std::u32string characters = decode(name);
    simple = !characters.empty() && characters.size() < kMaxSimpleKey && !analyze(characters).multiline;
  }
  start_key(simple);
  string(name, value_indent(), simple);
  end_key(simple);
}

void YamlWriter::typed_key(const Key& name) {
  if (name.kind == KeyKind::string) return key(name.text);
  start_key(true);
  put(name.kind == KeyKind::floating ? float_text(std::stod(name.text)) : name.text);
  end_key(true);
}

void YamlWriter::write_text(std::string_view text) {
  before_value();
  before_scalar();
  string(text, value_indent(), false);
}

void YamlWriter::write_double(double number) { write_word(float_text(number)); }

void YamlWriter::write_word(std::string_view word) {
  before_value();
  before_scalar();
  put(word);
}

// --- text ---

void YamlWriter::string(std::string_view text, int indent, bool is_key) {
  if (is_plain_word(text)) return put(text);
  const std::u32string characters = decode(text);
  const Analysis analysis = analyze(characters);
  const bool fits = !(is_key && analysis.multiline);
  if (!needs_quotes(text) && is_plain_string(text) && fits && analysis.plain) {
    plain(characters, indent, !is_key);
  } else if (analysis.single_quoted && fits) {
    single_quoted(characters, indent, !is_key);
  } else {
    double_quoted(characters, indent, !is_key);
  }
}

// A new line at an indent, unless the line has only "- " in front of it.
void YamlWriter::start_line(int indent) {
  if (fresh_) {
    fresh_ = false;
    return;
  }
  if (column_ > 0) line_break();
  put(std::string(static_cast<size_t>(indent), ' '));
}

void YamlWriter::line_break() {
  out_ += '\n';
  column_ = 0;
}

// PyYAML's write_indent inside a scalar.
void YamlWriter::fold(int indent) {
  if (column_ > 0) line_break();
  put(std::string(static_cast<size_t>(indent), ' '));
}

void YamlWriter::put(std::string_view ascii) {
  out_ += ascii;
  column_ += static_cast<int>(ascii.size());
}

void YamlWriter::put(const std::u32string& text, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) encode(text[i], out_);
  column_ += static_cast<int>(end - begin);
}

void YamlWriter::plain(const std::u32string& text, int indent, bool split) {
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    const bool spaces = text[begin] == ' ';
    while (end < text.size() && (text[end] == ' ') == spaces) ++end;
    if (spaces && begin + 1 == end && column_ > kWidth && split) {
      fold(indent);
    } else {
      put(text, begin, end);
    }
    begin = end;
  }
}

void YamlWriter::single_quoted(const std::u32string& text, int indent, bool split) {
  put("'");
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    if (text[begin] == ' ') {
      while (end < text.size() && text[end] == ' ') ++end;
      if (begin + 1 == end && column_ > kWidth && split && begin != 0 && end != text.size()) {
        fold(indent);
      } else {
        put(text, begin, end);
      }
    } else if (is_break(text[begin])) {
      while (end < text.size() && is_break(text[end])) ++end;
      if (text[begin] == '\n') line_break();
      for (size_t i = begin; i < end; ++i) {
        if (text[i] == '\n') {
          line_break();
        } else {
          encode(text[i], out_);
          column_ = 0;
        }
      }
      fold(indent);
    } else if (text[begin] == '\'') {
      put("''");
      end = begin + 1;
    } else {
      while (end < text.size() && text[end] != ' ' && text[end] != '\'' && !is_break(text[end])) ++end;
      put(text, begin, end);
    }
    begin = end;
  }
  put("'");
}

void YamlWriter::double_quoted(const std::u32string& text, int indent, bool split) {
  put("\"");
  size_t begin = 0;
  for (size_t end = 0; end <= text.size(); ++end) {
    if (end == text.size() || needs_escape(text[end])) {
      put(text, begin, end);
      begin = end;
      if (end < text.size()) {
        put(escape(text[end]));
        begin = end + 1;
      }
    }
    const bool inside = end > 0 && end + 1 < text.size();
    if (inside && (text[end] == ' ' || begin >= end) &&
        column_ + static_cast<int>(end) - static_cast<int>(begin) > kWidth && split) {
      if (begin < end) {
        put(text, begin, end);
        begin = end;
      }
      put("\\");
      fold(indent);
      if (text[begin] == ' ') put("\\");
    }
  }
  put("\"");
}

namespace {

void write(const Node& node, YamlWriter& out) {
  switch (node.kind()) {
    case Kind::null: return out.value(nullptr);
    case Kind::missing: return out.missing();
    case Kind::boolean: return out.value(node.as_bool());
    case Kind::integer: return out.value(node.as_int());
    case Kind::floating: return out.value(node.as_double());
    case Kind::string: return out.value(node.as_string());
    case Kind::list:
      out.begin_list();
      for (const Node& item : node.items()) write(item, out);
      return out.end_list();
    case Kind::map:
      out.begin_map();
      for (const Entry& entry : node.entries()) {
        out.typed_key(entry.key);
        write(entry.value, out);
      }
      return out.end_map();
  }
}

}  // namespace

std::string to_yaml(const Node& node) {
  if (node.is(Kind::string)) return node.as_string() + "\n";
  YamlWriter writer;
  write(node, writer);
  return writer.take();
}

}  // namespace modelmeter::config
