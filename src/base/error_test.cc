#include "base/error.h"

#include <gtest/gtest.h>

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
