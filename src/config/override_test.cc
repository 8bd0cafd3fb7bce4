#include "config/override.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/scalar.h"

namespace modelmeter::config {
namespace {

using ::testing::HasSubstr;

std::string shown(const std::string& text) { return python_str(std::get<Node>(parse_override_value(text))); }

Error error_of(const std::string& text) {
  try {
    parse_override(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error for: " << text;
  return Error("none");
}

TEST(Override, Kinds) {
  EXPECT_EQ(parse_override("a.b=1").kind, OverrideKind::change);
  EXPECT_EQ(parse_override("+a.b=1").kind, OverrideKind::add);
  EXPECT_EQ(parse_override("++a.b=1").kind, OverrideKind::force_add);
  EXPECT_EQ(parse_override("~a.b").kind, OverrideKind::remove);
  EXPECT_FALSE(parse_override("~a.b").value.has_value());
  const Override group = parse_override("server/db@x.db=mysql");
  EXPECT_EQ(group.key, "server/db");
  EXPECT_EQ(group.package, "x.db");
  EXPECT_EQ(group.key_element(), "server/db@x.db");
}

TEST(Override, Values) {
  EXPECT_EQ(shown("1_000"), "1000");
  EXPECT_EQ(shown("1e3"), "1000.0");
  EXPECT_EQ(shown("TRUE"), "True");
  EXPECT_EQ(shown("Null"), "None");
  EXPECT_EQ(shown("0x10"), "0x10");
  EXPECT_EQ(shown("1-2"), "1-2");
  EXPECT_EQ(shown("http://x.y/z?q"), "http://x.y/z?q");
  EXPECT_EQ(shown("a  b "), "a  b");
  EXPECT_EQ(shown(R"(a\,b\ )"), "a,b ");
  EXPECT_EQ(shown(R"("q\"q")"), "q\"q");
  EXPECT_EQ(shown("[1, a, 'x y', {b: 2.5}]"), "[1, 'a', 'x y', {'b': 2.5}]");
  EXPECT_EQ(shown("int('3')"), "3");
  EXPECT_EQ(shown("'int(3)'"), "int(3)");
  EXPECT_EQ(shown("sort([3,1,2],reverse=true)"), "[3, 2, 1]");
  EXPECT_TRUE(std::get<Node>(parse_override_value("${a.b}")).is_interpolation());
}

// Columns are characters, whatever bytes they take.
TEST(Override, ErrorsKnowTheirColumn) {
  EXPECT_EQ(error_of("a='x'y").span().column, 6);
  EXPECT_EQ(error_of("a='\xc3\xa9'y").span().column, 6);
  EXPECT_EQ(error_of("a='\xe6\x97\xa5\xe6\x9c\xac' y").span().column, 8);
  EXPECT_EQ(error_of("a=[1,").span().column, 6);
  EXPECT_EQ(error_of("a=[1,\xc3\xa9]").span().column, 6);
  EXPECT_THAT(error_of("a=[1,\xc3\xa9]").message(), HasSubstr("found '\xc3\xa9'"));  // a whole character
}

TEST(Override, ValueKnowsItsColumn) {
  const Override word = parse_override("model.layers=abc");
  EXPECT_EQ(word.mark.span().file, "<command line>");
  EXPECT_EQ(word.mark.span().column, 14);
  EXPECT_EQ(word.node().span().text, "model.layers=abc");
}

TEST(Override, Sweeps) {
  EXPECT_TRUE(parse_override("a=1,2").is_sweep());
  EXPECT_TRUE(parse_override("a=range(1,9,2)").is_sweep());
  EXPECT_FALSE(parse_override("a=[1,2]").is_sweep());
  const auto sweep = std::get<Sweep>(parse_override_value("tag(t, choice(a, b))"));
  EXPECT_EQ(sweep.tags, std::vector<std::string>{"t"});
  EXPECT_EQ(sweep.values.size(), 2U);
}

TEST(Override, ErrorsSayWhereAndWhat) {
  EXPECT_THAT(error_of("x=[1,2").message(), HasSubstr("found the end, expected ',' or ']'"));
  EXPECT_EQ(error_of("x=[1,2").span().column, 7);
  EXPECT_THAT(error_of("x=a=b").message(), HasSubstr("found '=', expected the end"));
  EXPECT_THAT(error_of("y=#x").message(), HasSubstr("found '#'"));
  EXPECT_THAT(error_of("key").message(), HasSubstr("expected '='"));
  EXPECT_THAT(error_of("lr=foo(1)").message(), HasSubstr("Unknown function 'foo'"));
  EXPECT_THAT(error_of("lr=chioce(1)").notes().at(0), "did you mean 'choice'?");
  EXPECT_THAT(error_of("x='a").message(), HasSubstr("has no end"));
  EXPECT_THAT(error_of("x=[1,2,]").message(), HasSubstr("found ']'"));
  EXPECT_THAT(error_of("x=" + std::string(5000, '[')).message(), HasSubstr("nested too deeply"));
  EXPECT_THAT(error_of("x=" + std::string(5000, 'a') + std::string(300, '(')).message(), HasSubstr("expected"));
}

TEST(Override, WritesValuesBack) {
  for (const char* text :
       {"null", "1", "True", "1.5", "a\\,b", "'it\\'s'", "[1,'a',b]", "{a:1,b:[x]}", "$\\{a.b\\}", "'ends in \\\\'"}) {
    const auto value = std::get<Node>(parse_override_value(text));
    EXPECT_EQ(to_override(value), text);
    EXPECT_TRUE(equal(std::get<Node>(parse_override_value(to_override(value))), value)) << text;
  }
}

}  // namespace
}  // namespace modelmeter::config
