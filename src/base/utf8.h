// Text that is shown, or written into documents, is UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace modelmeter {

// The byte at which the text stops being UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates); npos where it
// is all UTF-8.
size_t first_not_utf8(std::string_view text);

// One line for people: bytes that are no UTF-8 and control characters as "?" (a tab as a blank), and of more than
// `most` characters the start, with "…" for the rest.
std::string shortened(std::string_view text, size_t most);

// A long line cut to what stands around a column (from 1, in characters); the column moves with it.
struct Excerpt {
  std::string text;
  int column = 0;
};
Excerpt excerpt(std::string_view line, int column, size_t most);

}  // namespace modelmeter
