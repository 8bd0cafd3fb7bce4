#include "base/utf8.h"

#include <algorithm>
#include <vector>

namespace modelmeter {
namespace {

bool within(std::string_view text, size_t at, unsigned char least, unsigned char most) {
  return at < text.size() && static_cast<unsigned char>(text[at]) >= least &&
         static_cast<unsigned char>(text[at]) <= most;
}

// Bytes of the character at `at`; 0 where it is none.
size_t length_at(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return within(text, at + 1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned char least = lead == 0xE0 ? 0xA0 : 0x80, most = lead == 0xED ? 0x9F : 0xBF;
    return within(text, at + 1, least, most) && within(text, at + 2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned char least = lead == 0xF0 ? 0x90 : 0x80, most = lead == 0xF4 ? 0x8F : 0xBF;
    return within(text, at + 1, least, most) && within(text, at + 2, 0x80, 0xBF) && within(text, at + 3, 0x80, 0xBF)
               ? 4
               : 0;
  }
  return 0;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Characters from `first` on, `most` of them, and whether any are left.
std::string piece(std::string_view text, size_t first, size_t most, bool& rest) {
  std::string out;
  size_t number = 0, at = 0;
  for (; at < text.size() && number < first + most; ++number) {
    const size_t length = length_at(text, at);
    if (number >= first) {
      if (length == 0 || (length == 1 && is_control(text[at]))) {
        out += text[at] == '\t' ? ' ' : '?';
      } else {
        out.append(text.substr(at, length));
      }
    }
    at += std::max<size_t>(length, 1);
  }
  rest = at < text.size();
  return out;
}

}  // namespace

size_t first_not_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = length_at(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string shortened(std::string_view text, size_t most) {
  bool rest = false;
  std::string out = piece(text, 0, most, rest);
  return rest ? out + "…" : out;
}

Excerpt excerpt(std::string_view line, int column, size_t most) {
  const size_t place = column > 0 ? static_cast<size_t>(column) : 1;
  // What stands before the column is worth a third of the room.
  const size_t first = place > most ? place - most / 3 : 0;
  bool rest = false;
  std::string text = piece(line, first, most, rest);
  if (rest) text += "…";
  if (first == 0) return {std::move(text), column};
  return {"…" + text, column - static_cast<int>(first) + 1};
}

}  // namespace modelmeter
