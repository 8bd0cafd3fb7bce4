#include "base/utf8.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr size_t all = std::string_view::npos;

TEST(Utf8, TableOfWellFormedSequences) {
  for (const char* good : {"", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "größe 中文 🙂"}) {
    EXPECT_EQ(first_not_utf8(good), all) << good;
  }
  for (const char* bad : {"\xFF", "\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\x80", "\xED\xA0\x80",
                          "\xE1\x80", "\xF0\x8F\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF1\x80\x80"}) {
    EXPECT_EQ(first_not_utf8(bad), 0u) << bad;
    EXPECT_EQ(first_not_utf8(std::string("ab") + bad), 2u) << bad;
  }
}

TEST(Utf8, ShortenedLinesAreWhole) {
  EXPECT_EQ(shortened("größe", 5), "größe");
  EXPECT_EQ(shortened("größe", 3), "grö…");
  EXPECT_EQ(shortened("a\tb\x1b[1mc\xff", 99), "a b?[1mc?");
}

TEST(Utf8, ExcerptsKeepTheColumn) {
  EXPECT_EQ(excerpt("abc", 2, 10).text, "abc");
  EXPECT_EQ(excerpt("abc", 2, 10).column, 2);
  EXPECT_EQ(excerpt("abcdefghijkl", 2, 10).text, "abcdefghij…");
  const std::string line = std::string(1000, 'x') + "Y" + std::string(1000, 'z');
  const Excerpt cut = excerpt(line, 1001, 90);
  EXPECT_EQ(cut.text.substr(0, 3), "…");
  // The mark of omission is one character of three bytes.
  EXPECT_EQ(cut.text.substr(static_cast<size_t>(cut.column) + 1, 1), "Y");
  EXPECT_LT(cut.text.size(), 100u);
}

}  // namespace
}  // namespace modelmeter
