#include "config/scalar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace modelmeter::config {
namespace {

TEST(PlainScalar, Integers) {
  const std::pair<const char*, int64_t> cases[] = {{"1", 1},     {"+1", 1},      {"-0", 0},          {"1_000", 1000},
                                                   {"1__0", 10}, {"01", 1},      {"0777", 511},      {"0x1F", 31},
                                                   {"0b11", 3},  {"12:30", 750}, {"12:30:45", 45045}};
  for (const auto& [text, value] : cases) {
    const Node node = plain_scalar(text, {});
    ASSERT_TRUE(node.is(Kind::integer)) << text;
    EXPECT_EQ(node.as_int(), value) << text;
  }
  EXPECT_EQ(plain_scalar("-9223372036854775808", {}).as_int(), std::numeric_limits<int64_t>::min());
  EXPECT_THROW(plain_scalar("9223372036854775808", {}), Error);
}

TEST(PlainScalar, Floats) {
  const std::pair<const char*, double> cases[] = {
      {"1.", 1},     {".5", 0.5},    {"09.5", 9.5},  {"1_000.5", 1000.5}, {"1:30.5", 90.5},  {"1e3", 1000},
      {"1E3", 1000}, {"1e+3", 1000}, {".5e+3", 500}, {"1e-06", 1e-6},     {"1.5e-3", 0.0015}};
  for (const auto& [text, value] : cases) {
    const Node node = plain_scalar(text, {});
    ASSERT_TRUE(node.is(Kind::floating)) << text;
    EXPECT_DOUBLE_EQ(node.as_double(), value) << text;
  }
  EXPECT_EQ(plain_scalar("1e400", {}).as_double(), INFINITY);
  EXPECT_EQ(plain_scalar("-.Inf", {}).as_double(), -INFINITY);
  EXPECT_TRUE(std::isnan(plain_scalar(".nan", {}).as_double()));
}

TEST(PlainScalar, WordsAndStrings) {
  for (const char* text : {"true", "True", "YES", "on"}) EXPECT_TRUE(plain_scalar(text, {}).as_bool()) << text;
  for (const char* text : {"false", "No", "OFF"}) EXPECT_FALSE(plain_scalar(text, {}).as_bool()) << text;
  for (const char* text : {"", "~", "null", "Null", "NULL"}) EXPECT_TRUE(plain_scalar(text, {}).is(Kind::null)) << text;
  for (const char* text : {"08",   "0o7",        "_1",    "0x",    "1e",  "e5",  "1e5_0", "y",   "n",   "tRue", "None",
                           "nULL", "2020-01-01", "0.1.2", "1,000", "-.5", "+.5", ".5e3",  "inf", "nan", "a:b",  "--"}) {
    EXPECT_TRUE(plain_scalar(text, {}).is(Kind::string)) << text;
  }
  EXPECT_TRUE(plain_scalar("??"
                           "?",
                           {})
                  .is(Kind::missing));
  EXPECT_TRUE(plain_scalar("${a}", {}).is_interpolation());
}

TEST(PythonRepr, ShortestRoundTrip) {
  EXPECT_EQ(python_repr(1), "1.0");
  EXPECT_EQ(python_repr(0.1), "0.1");
  EXPECT_EQ(python_repr(-0.0), "-0.0");
  EXPECT_EQ(python_repr(1e15), "1000000000000000.0");
  EXPECT_EQ(python_repr(1e16), "1e+16");
  EXPECT_EQ(python_repr(0.0001), "0.0001");
  EXPECT_EQ(python_repr(0.00001), "1e-05");
  EXPECT_EQ(python_repr(1.5e-7), "1.5e-07");
  EXPECT_EQ(python_repr(INFINITY), "inf");
}

TEST(PythonStr, Containers) {
  Node map = Node::map();
  map.set("a", Node::list({Node::integer(1), Node::string("it's"), Node::null()}));
  map.set(Key("2", KeyKind::integer), Node::boolean(true));
  EXPECT_EQ(python_str(map), R"({'a': [1, "it's", None], 2: True})");
}

TEST(PythonNumbers, AsIntAndFloatReadThem) {
  EXPECT_EQ(python_int(" 12 "), 12);
  EXPECT_EQ(python_int("-1_0"), -10);
  EXPECT_EQ(python_int("1__0"), std::nullopt);
  EXPECT_EQ(python_int("10.0"), std::nullopt);
  EXPECT_EQ(python_float("-.5"), -0.5);
  EXPECT_EQ(python_float("1e5"), 1e5);
  EXPECT_EQ(python_float("-Infinity"), -INFINITY);
  EXPECT_EQ(python_float("."), std::nullopt);
  EXPECT_EQ(python_float(""), std::nullopt);
}

}  // namespace
}  // namespace modelmeter::config
