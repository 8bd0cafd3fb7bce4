#include "base/pickle_writer.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter {
namespace {

template <class Value>
std::string one(const Value& value) {
  return pickle_of([&](DocumentWriter& out) { out.value(value); });
}

// As pickletools.dis() reads them: the bytes behind the protocol's mark.
std::string bytes(std::string_view body) { return "\x80\x02" + std::string(body) + "."; }

TEST(PickleWriter, IntegersTakeTheLeastOpcode) {
  EXPECT_EQ(one(int64_t{0}), bytes(std::string_view("K\0", 2)));
  EXPECT_EQ(one(int64_t{255}), bytes("K\xff"));
  EXPECT_EQ(one(int64_t{256}), bytes(std::string_view("M\0\x01", 3)));
  EXPECT_EQ(one(int64_t{65536}), bytes(std::string_view("J\0\0\x01\0", 5)));
  EXPECT_EQ(one(int64_t{-1}), bytes("J\xff\xff\xff\xff"));
  EXPECT_EQ(one(int64_t{1} << 31), bytes(std::string_view("\x8a\x08\0\0\0\x80\0\0\0\0", 10)));
  EXPECT_EQ(one(-(int64_t{1} << 40)), bytes(std::string_view("\x8a\x08\0\0\0\0\0\xff\xff\xff", 10)));
}

TEST(PickleWriter, WordsAndFloats) {
  EXPECT_EQ(one(true), bytes("\x88"));
  EXPECT_EQ(one(false), bytes("\x89"));
  EXPECT_EQ(one(nullptr), bytes("N"));
  EXPECT_EQ(one(0.5), bytes(std::string_view("G\x3f\xe0\0\0\0\0\0\0", 9)));
}

TEST(PickleWriter, ListsAndMapsTakeTheirValuesOneByOneAndTextIsWrittenOnce) {
  const std::string out = pickle_of([](DocumentWriter& w) {
    w.begin_map();
    w.field("a", int64_t{1});
    w.key("b");
    w.begin_list();
    w.value("a");
    w.value(int64_t{2});
    w.end_list();
    w.end_map();
  });
  using std::string_literals::operator""s;
  EXPECT_EQ(out, bytes("}X\1\0\0\0aq\0K\1sX\1\0\0\0bq\1]h\0aK\2as"s));
}

TEST(PickleWriter, TextBeyond256IsReferredToByALongNumber) {
  const std::string out = pickle_of([](DocumentWriter& w) {
    w.begin_list();
    for (int i = 0; i < 257; ++i) w.value(std::to_string(i));
    w.value("256");
    w.end_list();
  });
  using std::string_literals::operator""s;
  EXPECT_EQ(out.substr(out.size() - 7), "j\0\1\0\0a."s);
}

TEST(PickleWriter, RefusesIntegersBeyond64Bits) { EXPECT_THROW(one(Count(int64_t{1} << 62) * 4), Error); }

}  // namespace
}  // namespace modelmeter
