#include "base/error.h"

#include <gtest/gtest.h>

#include <sstream>

namespace modelmeter {
namespace {

TEST(Error, ShowsOnlyTheMessageWhereThereIsNoPlace) { EXPECT_STREQ(Error("no").what(), "error: no"); }

TEST(Error, ShowsFileLineAndCaretUnderTheColumn) {
  const Error error("bad", {"a.yaml", 3, 5, "x:  y"}, {"try z", "or w"});
  EXPECT_STREQ(error.what(),
               "error: bad\n"
               "  a.yaml:3:5\n"
               "  x:  y\n"
               "      ^\n"
               "note: try z\n"
               "note: or w");
}

TEST(Error, LeavesOutWhatIsUnknownOfThePlace) {
  EXPECT_STREQ(Error("bad", {"a.yaml", 0, 0, ""}).what(), "error: bad\n  a.yaml");
  EXPECT_STREQ(Error("bad", {"a.yaml", 2, 0, "x"}).what(), "error: bad\n  a.yaml:2\n  x");
}

TEST(Error, CutsLongLines) {
  const Error error(std::string(5000, 'm') + "\nsecond", {"f", 1, 1500, std::string(3000, 'x')},
                    {std::string(5000, 'n')});
  std::istringstream lines(error.what());
  std::string line;
  int caret = 0;
  for (int i = 0; std::getline(lines, line); ++i) {
    EXPECT_LT(line.size(), 2100u);
    if (i == 1) {
      EXPECT_EQ(line, "second");
    }
    if (line.find('^') != std::string::npos) caret = static_cast<int>(line.find('^'));
  }
  EXPECT_GT(caret, 2);
  EXPECT_LT(caret, 210);
}

TEST(Error, ExitCodesAreThoseOfTheContract) {
  EXPECT_EQ(Error("x").exit_code(), 1);
  EXPECT_EQ(Error(ErrorCode::invalid, "x").exit_code(), 1);
  EXPECT_EQ(Error(ErrorCode::usage, "x").exit_code(), 2);
  EXPECT_EQ(Error(ErrorCode::infeasible, "x").exit_code(), 3);
  EXPECT_EQ(Error(ErrorCode::internal, "x").exit_code(), 70);
}

TEST(Error, WithNoteKeepsEverythingElse) {
  const Error error = Error(ErrorCode::usage, "x", {"f", 1, 1, "t"}, {"a"}).with_note("b");
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_EQ(error.span().file, "f");
  EXPECT_EQ(error.notes(), (std::vector<std::string>{"a", "b"}));
  EXPECT_STREQ(error.what(), "error: x\n  f:1:1\n  t\n  ^\nnote: a\nnote: b");
}

TEST(Error, AtSetsAPlaceOnlyWhereThereIsNone) {
  EXPECT_EQ(Error("x").at({"f", 1, 1, ""}).span().file, "f");
  EXPECT_EQ(Error("x", {"g", 1, 1, ""}).at({"f", 1, 1, ""}).span().file, "g");
}

}  // namespace
}  // namespace modelmeter
