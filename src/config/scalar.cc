#include "config/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <limits>

#include "config/characters.h"

namespace modelmeter::config {
namespace {

// A cursor for matching the small regular expressions of the resolvers.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}
  bool end() const { return at_ == text_.size(); }
  char peek() const { return end() ? '\0' : text_[at_]; }
  bool one(std::string_view set) {
    if (end() || set.find(text_[at_]) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  void sign() { one("+-"); }
  // At least one / any number of characters of a set.
  bool some(std::string_view set) {
    const size_t begin = at_;
    any(set);
    return at_ > begin;
  }
  void any(std::string_view set) {
    while (one(set)) {}
  }
  // [0-9]+(_[0-9]+)*
  bool grouped_digits() {
    if (!some(kDigits)) return false;
    while (peek() == '_' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
      ++at_;
      some(kDigits);
    }
    return true;
  }
  // (:[0-5]?[0-9])+
  bool base60() {
    if (!one(":")) return false;
    do {
      if (!some(kDigits)) return false;
      const size_t length = at_ - text_.rfind(':', at_ - 1) - 1;
      if (length > 2 || (length == 2 && text_[at_ - 2] > '5')) return false;
    } while (one(":"));
    return true;
  }
  static constexpr std::string_view kDigits = "0123456789";
  static constexpr std::string_view kDigitsOrUnderscore = "0123456789_";

 private:
  std::string_view text_;
  size_t at_ = 0;
};

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

std::optional<bool> bool_word(std::string_view text) {
  for (const char* word : {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}) {
    if (text == word) return true;
  }
  for (const char* word : {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

// YAML 1.1 integers, PyYAML's regular expression: which of its branches matches.
enum class IntForm { none, binary, octal, decimal, hexadecimal, base60 };

IntForm int_form(std::string_view text) {
  const auto matches = [&](auto&& rule) {
    Scan scan(text);
    scan.sign();
    return rule(scan) && scan.end();
  };
  const auto prefix = [](Scan& s, std::string_view letter) { return s.one("0") && s.one(letter); };
  if (matches([&](Scan& s) { return prefix(s, "b") && s.some("01_"); })) return IntForm::binary;
  if (matches([&](Scan& s) { return s.one("0") && s.some("01234567_"); })) return IntForm::octal;
  if (matches([&](Scan& s) { return s.one("0"); })) return IntForm::decimal;
  const auto decimal = [](Scan& s) {
    if (!s.one("123456789")) return false;
    s.any(Scan::kDigitsOrUnderscore);
    return true;
  };
  if (matches(decimal)) return IntForm::decimal;
  if (matches([&](Scan& s) { return prefix(s, "x") && s.some("0123456789abcdefABCDEF_"); })) {
    return IntForm::hexadecimal;
  }
  if (matches([&](Scan& s) { return decimal(s) && s.base60(); })) return IntForm::base60;
  return IntForm::none;
}

bool exponent(Scan& s, bool sign_needed) {
  if (!s.one("eE")) return false;
  if (!s.one("+-") && sign_needed) return false;
  return s.some(Scan::kDigits);
}

// The float rules of PyYAML, and those that OmegaConf adds.
bool is_yaml_float(std::string_view text, bool omegaconf) {
  const auto matches = [&](auto&& rule) {
    Scan scan(text);
    return rule(scan) && scan.end();
  };
  const auto whole = [](Scan& s) {  // [-+]?[0-9][0-9_]*
    s.sign();
    if (!s.one(Scan::kDigits)) return false;
    s.any(Scan::kDigitsOrUnderscore);
    return true;
  };
  const auto special = [&](Scan& s) {
    s.sign();
    return s.one(".") &&
           (text.substr(text.size() - 3) == "inf" || text.substr(text.size() - 3) == "Inf" ||
            text.substr(text.size() - 3) == "INF") &&
           s.some("infINF");
  };
  if (text.size() >= 4 && text.size() <= 5 && matches(special)) return true;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return true;
  const auto point = [&](Scan& s) {
    if (!whole(s) || !s.one(".")) return false;
    s.any(Scan::kDigitsOrUnderscore);
    return s.end() || exponent(s, true);
  };
  const auto leading_point = [](Scan& s) {
    if (!s.one(".") || !s.one(Scan::kDigits)) return false;
    s.any(Scan::kDigitsOrUnderscore);
    return s.end() || exponent(s, true);
  };
  const auto base60 = [&](Scan& s) {
    if (!whole(s) || !s.base60() || !s.one(".")) return false;
    s.any(Scan::kDigitsOrUnderscore);
    return true;
  };
  if (matches(point) || matches(leading_point) || matches(base60)) return true;
  if (!omegaconf) return false;
  const auto loose_exponent = [](Scan& s) {
    s.sign();
    if (!s.grouped_digits()) return false;
    if (s.one(".")) s.any(Scan::kDigitsOrUnderscore);
    return exponent(s, false);
  };
  return matches(loose_exponent);
}

// PyYAML's timestamps, dates and times: only to know what must be quoted.
bool is_timestamp(std::string_view text) {
  Scan s(text);
  const auto digits = [&](int least, int most) {
    int count = 0;
    while (count < most && s.one(Scan::kDigits)) ++count;
    return count >= least;
  };
  if (text.size() == 10) {
    if (digits(4, 4) && s.one("-") && digits(2, 2) && s.one("-") && digits(2, 2) && s.end()) return true;
    s = Scan(text);
  }
  if (!digits(4, 4) || !s.one("-") || !digits(1, 2) || !s.one("-") || !digits(1, 2)) return false;
  if (!s.one("Tt") && !s.some(" \t")) return false;
  s.any(" \t");
  if (!digits(1, 2) || !s.one(":") || !digits(2, 2) || !s.one(":") || !digits(2, 2)) return false;
  if (s.one(".")) s.any(Scan::kDigits);
  if (s.end()) return true;
  s.any(" \t");
  if (s.one("Z")) return s.end();
  if (!s.one("+-") || !digits(1, 2)) return false;
  if (s.one(":") && !digits(2, 2)) return false;
  return s.end();
}

std::string without_underscores(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char c) { return c != '_'; });
  return out;
}

[[noreturn]] void too_big(std::string_view text, const Mark& mark) {
  throw Error(fmt::format("integer {} does not fit 64 bits", text), mark.span());
}

// Digits of a base, with a sign; nothing on overflow.
std::optional<int64_t> to_int(std::string_view digits, int base, bool negative) {
  int64_t value = 0;
  for (const char c : digits) {
    const int digit = is_digit(c) ? c - '0' : std::tolower(static_cast<unsigned char>(c)) - 'a' + 10;
    if (__builtin_mul_overflow(value, base, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, negative ? -digit : digit, &value)) return std::nullopt;
  }
  return value;
}

Node yaml_int(std::string_view text, IntForm form, const Mark& mark) {
  std::string digits = without_underscores(text);
  const bool negative = digits[0] == '-';
  if (digits[0] == '-' || digits[0] == '+') digits.erase(0, 1);
  std::optional<int64_t> value;
  switch (form) {
    case IntForm::binary: value = to_int(digits.substr(2), 2, negative); break;
    case IntForm::hexadecimal: value = to_int(digits.substr(2), 16, negative); break;
    case IntForm::octal: value = to_int(digits, 8, negative); break;
    case IntForm::base60: {
      int64_t total = 0;
      for (size_t begin = 0; begin <= digits.size();) {
        const size_t end = std::min(digits.find(':', begin), digits.size());
        const std::optional<int64_t> part = to_int(digits.substr(begin, end - begin), 10, negative);
        if (!part || __builtin_mul_overflow(total, 60, &total) || __builtin_add_overflow(total, *part, &total)) {
          too_big(text, mark);
        }
        begin = end + 1;
      }
      value = total;
      break;
    }
    case IntForm::decimal:
    case IntForm::none: value = to_int(digits, 10, negative); break;
  }
  if (!value) too_big(text, mark);
  return Node::integer(*value, mark);
}

double yaml_float(std::string_view text) {
  std::string digits = without_underscores(text);
  std::transform(digits.begin(), digits.end(), digits.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  double sign = 1;
  if (digits[0] == '-' || digits[0] == '+') {
    if (digits[0] == '-') sign = -1;
    digits.erase(0, 1);
  }
  if (digits == ".inf") return sign * std::numeric_limits<double>::infinity();
  if (digits == ".nan") return std::numeric_limits<double>::quiet_NaN();
  double total = 0;
  for (size_t begin = 0; begin <= digits.size();) {
    const size_t end = std::min(digits.find(':', begin), digits.size());
    total = total * 60 + std::strtod(digits.substr(begin, end - begin).c_str(), nullptr);
    begin = end + 1;
  }
  return sign * total;
}

std::string key_repr(const Key& key) {
  switch (key.kind) {
    case KeyKind::string: return text_repr(key.text);
    case KeyKind::null: return "None";
    case KeyKind::boolean: return key.text == "true" ? "True" : "False";
    case KeyKind::integer:
    case KeyKind::floating: return key.text;
  }
  return key.text;
}

// Without blanks around it, as Python strips a number.
std::string_view stripped(std::string_view text) {
  const auto drop = [&](std::string_view blank) {
    if (text.size() < blank.size()) return false;
    if (text.substr(0, blank.size()) == blank) {
      text.remove_prefix(blank.size());
      return true;
    }
    if (text.substr(text.size() - blank.size()) == blank) {
      text.remove_suffix(blank.size());
      return true;
    }
    return false;
  };
  // Unicode's blanks: \u0085, \u00a0, \u2028, \u2029, \u3000 and so on.
  constexpr std::string_view kBlanks[] = {
      " ",        "\t",       "\n",           "\r",           "\f",           "\v",
      "\xc2\x85", "\xc2\xa0", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe3\x80\x80"};
  while (std::any_of(std::begin(kBlanks), std::end(kBlanks), drop)) {}
  return text;
}

}  // namespace

Node plain_scalar(std::string_view text, const Mark& mark) {
  if (is_null_word(text)) return Node::null(mark);
  if (const std::optional<bool> value = bool_word(text)) return Node::boolean(*value, mark);
  if (is_digit(text[0]) || text[0] == '-' || text[0] == '+' || text[0] == '.') {
    if (const IntForm form = int_form(text); form != IntForm::none) return yaml_int(text, form, mark);
    if (is_yaml_float(text, true)) return Node::floating(yaml_float(text), mark);
  }
  return Node::string(std::string(text), mark);
}

std::string text_repr(const std::string& text) {
  const bool single = text.find('\'') == std::string::npos || text.find('"') != std::string::npos;
  const char quote = single ? '\'' : '"';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\x{:02x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + quote;
}

bool is_plain_string(std::string_view text) {
  return !is_null_word(text) && !bool_word(text) && int_form(text) == IntForm::none && !is_yaml_float(text, false) &&
         !is_timestamp(text) && text != "=" && text != "<<" && text[0] != '!' && text[0] != '&' && text[0] != '*';
}

std::string python_str(const Node& node) {
  switch (node.kind()) {
    case Kind::null: return "None";
    case Kind::missing: return "???";
    case Kind::boolean: return node.as_bool() ? "True" : "False";
    case Kind::integer: return std::to_string(node.as_int());
    case Kind::floating: return python_repr(node.as_double());
    case Kind::string: return node.as_string();
    case Kind::list:
    case Kind::map: break;
  }
  const auto repr = [](const Node& item) {
    if (item.is(Kind::string)) return text_repr(item.as_string());
    if (item.is(Kind::missing)) return std::string("'??\?'");
    return python_str(item);
  };
  std::string out;
  if (node.is(Kind::list)) {
    for (const Node& item : node.items()) out += (out.empty() ? "" : ", ") + repr(item);
    return "[" + out + "]";
  }
  for (const Entry& entry : node.entries()) {
    out += (out.empty() ? "" : ", ") + key_repr(entry.key) + ": " + repr(entry.value);
  }
  return "{" + out + "}";
}

bool is_python_int(std::string_view text) {
  Scan scan(stripped(text));
  scan.sign();
  return scan.grouped_digits() && scan.end();
}

std::optional<int64_t> python_int(std::string_view text) {
  if (!is_python_int(text)) return std::nullopt;
  std::string digits = without_underscores(stripped(text));
  const bool negative = digits[0] == '-';
  if (negative || digits[0] == '+') digits.erase(0, 1);
  return to_int(digits, 10, negative);
}

std::optional<double> python_float(std::string_view text) {
  std::string word(stripped(text));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string bare = !word.empty() && (word[0] == '-' || word[0] == '+') ? word.substr(1) : word;
  const double sign = !word.empty() && word[0] == '-' ? -1 : 1;
  if (bare == "inf" || bare == "infinity") return sign * std::numeric_limits<double>::infinity();
  if (bare == "nan") return std::numeric_limits<double>::quiet_NaN();
  Scan scan(bare);
  const bool before = scan.grouped_digits();
  const bool after = scan.one(".") && scan.grouped_digits();
  if (!before && !after) return std::nullopt;
  if (scan.one("eE")) {
    scan.sign();
    if (!scan.grouped_digits()) return std::nullopt;
  }
  if (!scan.end()) return std::nullopt;
  return sign * std::strtod(without_underscores(bare).c_str(), nullptr);
}

}  // namespace modelmeter::config
