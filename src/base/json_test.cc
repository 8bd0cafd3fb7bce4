#include "base/json.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter {
namespace {

constexpr char wide[] = "170141183460469231731687303715884105727";

TEST(Json, WritesACountInFull) {
  EXPECT_EQ(dump_json(json_of(7)), "7");
  EXPECT_EQ(dump_json(json_of(-7)), "-7");
  EXPECT_EQ(dump_json(json_of(*count_from(wide))), wide);
  EXPECT_EQ(dump_json({{"a", json_of(*count_from(wide))}, {"b", 1}}), std::string(R"({"a":)") + wide + R"(,"b":1})");
}

TEST(Json, ReadsWhatItWrote) {
  for (const char* digits : {"0", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551616", wide,
                             "-9223372036854775809", "-170141183460469231731687303715884105728"}) {
    const Json read = parse_json(digits);
    EXPECT_EQ(count_in(read), count_from(digits)) << digits;
    EXPECT_EQ(dump_json(read), digits);
  }
}

TEST(Json, OnlyIntegersAreCounts) {
  for (const char* text :
       {"1.0", "1e9", "\"1\"", "null", "true", "[1]", "{}", "170141183460469231731687303715884105728"}) {
    EXPECT_EQ(count_in(parse_json(text)), std::nullopt) << text;
  }
}

TEST(Json, TheTextIsThatOfNlohmannButForWideIntegers) {
  const char text[] = R"({"a": [1, 2.5, -3e-7, "x\u0001\"y", []], "b": {}, "c": {"d": null, "e": [[true], {"f": 0}]}})";
  Json document = parse_json(text);
  ASSERT_FALSE(document.is_discarded());
  for (int indent : {-1, 0, 2, 4}) {
    EXPECT_EQ(dump_json(document, indent), document.dump(indent));
    Json with = document, without = document;
    with["g"] = json_of(*count_from(wide));
    without["g"] = 12345;
    std::string expected = without.dump(indent);
    expected.replace(expected.find("12345"), 5, wide);
    EXPECT_EQ(dump_json(with, indent), expected);
  }
}

TEST(Json, WhatIsNoJsonIsDiscarded) {
  for (const char* text : {"", "{", "[1,]", "{} x", "1e999999"}) EXPECT_TRUE(parse_json(text).is_discarded()) << text;
}

TEST(Json, LargerThanAnyDocumentIsRefused) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_FALSE(parse_json(nested(64)).is_discarded());
  EXPECT_THROW(parse_json(nested(65)), Error);
  EXPECT_THROW(parse_json(std::string(100'000'000, '[')), Error);
  std::string keys = "{\"k\": 0";
  for (int i = 1; i < 1000; ++i) keys += ", \"" + std::to_string(i) + "\": 1";
  EXPECT_FALSE(parse_json(keys + "}").is_discarded());
  EXPECT_THROW(parse_json(keys + ", \"one more\": 1}"), Error);
}

TEST(Json, TextThatIsNoUtf8IsWrittenAsUtf8) { EXPECT_EQ(dump_json(Json("a\xff")), "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace modelmeter
