#include "base/json_writer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace modelmeter {
namespace {

using Json = nlohmann::ordered_json;

void write(const Json& value, DocumentWriter& out) {
  if (value.is_object()) {
    out.begin_map();
    for (const auto& [key, item] : value.items()) {
      out.key(key);
      write(item, out);
    }
    return out.end_map();
  }
  if (value.is_array()) {
    out.begin_list();
    for (const Json& item : value) write(item, out);
    return out.end_list();
  }
  if (value.is_string()) return out.value(value.get<std::string>());
  if (value.is_boolean()) return out.value(value.get<bool>());
  if (value.is_number_float()) return out.value(value.get<double>());
  if (value.is_number_integer()) return out.value(value.get<int64_t>());
  out.value(nullptr);
}

std::string text_of(const Json& value) {
  return json_text([&](DocumentWriter& out) { write(value, out); });
}

Json random_document(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 7 : 5)) {
    case 0: return nullptr;
    case 1: return *rc::gen::arbitrary<bool>();
    case 2: return *rc::gen::arbitrary<int64_t>();
    case 3: return *rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127));
    case 4: return *rc::gen::inRange(-1000, 1000) / 8.0;
    case 5: {
      Json list = Json::array();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) list.push_back(random_document(depth - 1));
      return list;
    }
    default: {
      Json map = Json::object();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
        map[*rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127))] = random_document(depth - 1);
      }
      return map;
    }
  }
}

TEST(JsonWriter, WritesWhatNlohmannWrites) {
  EXPECT_TRUE(rc::check("text of random documents", [] {
    const Json document = random_document(4);
    RC_ASSERT(text_of(document) == document.dump(2));
  }));
}

TEST(JsonWriter, DoublesReadBackToThemselves) {
  EXPECT_TRUE(rc::check("random doubles", [] {
    const double value = *rc::gen::arbitrary<double>() * 1e-3;
    RC_ASSERT(Json::parse(text_of(value)).get<double>() == value);
  }));
  EXPECT_EQ(text_of(0.1), "0.1");
  EXPECT_EQ(text_of(1.0), "1.0");
  EXPECT_EQ(text_of(0.0001), "0.0001");
  EXPECT_EQ(text_of(0.00001), "1e-05");
  EXPECT_EQ(text_of(1e15), "1000000000000000.0");
  EXPECT_EQ(text_of(1e16), "1e+16");
  EXPECT_EQ(text_of(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "null");
}

TEST(JsonWriter, TextThatIsNoAsciiStandsAsItIs) {
  EXPECT_EQ(text_of("block_00 … block_39 \x7f"), "\"block_00 … block_39 \x7f\"");
  EXPECT_EQ(text_of(std::string("\0\x1f", 2)), R"("\u0000\u001f")");
}

TEST(JsonWriter, LaysOutMapsAndLists) {
  const std::string text = json_text([](DocumentWriter& out) {
    out.map([&] {
      out.field("name", "x");
      out.map("inner", [&] { out.field("known", std::optional<int64_t>()); });
      out.list("squares", std::vector<int64_t>{1, 2}, [&](int64_t i) { out.value(i * i); });
      out.field("none", std::vector<std::string>());
      out.field("fields", Fields{{"a", 1.5}, {"b", nullptr}, {"c", true}});
    });
  });
  EXPECT_EQ(text, R"({
  "name": "x",
  "inner": {
    "known": null
  },
  "squares": [
    1,
    4
  ],
  "none": [],
  "fields": {
    "a": 1.5,
    "b": null,
    "c": true
  }
})");
}

}  // namespace
}  // namespace modelmeter
