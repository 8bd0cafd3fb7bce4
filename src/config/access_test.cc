#include "config/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "config/registry.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* kText =
    "workload:\n"
    "  num_frames: 81\n"
    "  scale: 2\n"
    "  shift: 5.0\n"
    "  name: abc\n"
    "  flag: true\n"
    "  sizes: [480, 832]\n"
    "  none: null\n"
    "  open: ??"
    "?\n"
    "  zero: 0\n";

Error error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

class ViewTest : public ::testing::Test {
 protected:
  Node root_ = parse_yaml(kText, "w.yaml");
  View view_ = View(root_).child("workload");
};

TEST_F(ViewTest, ReadsTypes) {
  EXPECT_EQ(view_.get<int64_t>("num_frames"), 81);
  EXPECT_EQ(view_.get<int>("num_frames"), 81);
  EXPECT_EQ(view_.get<double>("scale"), 2.0);
  EXPECT_EQ(view_.get<double>("shift"), 5.0);
  EXPECT_EQ(view_.get<std::string>("name"), "abc");
  EXPECT_TRUE(view_.get<bool>("flag"));
  EXPECT_EQ(view_.get<std::vector<int64_t>>("sizes"), (std::vector<int64_t>{480, 832}));
  EXPECT_EQ(view_.optional<int64_t>("none"), std::nullopt);
  EXPECT_EQ(view_.optional<int64_t>("absent"), std::nullopt);
  EXPECT_EQ(view_.get_or<int64_t>("absent", 7), 7);
  EXPECT_EQ(view_.get_positive<int64_t>("num_frames"), 81);
  EXPECT_EQ(view_.get_non_negative<int64_t>("zero"), 0);
}

TEST_F(ViewTest, WrongTypesPointAtTheValue) {
  const Error error = error_of([&] { view_.get<int64_t>("name"); });
  EXPECT_EQ(error.message(), "workload.name: expected an integer, got 'abc'");
  EXPECT_EQ(error.span().line, 5);
  EXPECT_EQ(error.span().column, 9);
  EXPECT_EQ(error.span().text, "  name: abc");
  EXPECT_EQ(error_of([&] { view_.get<int64_t>("shift"); }).message(), "workload.shift: expected an integer, got 5.0");
  EXPECT_EQ(error_of([&] { view_.get<int64_t>("flag"); }).message(), "workload.flag: expected an integer, got true");
  EXPECT_EQ(error_of([&] { view_.get<double>("flag"); }).message(), "workload.flag: expected a number, got true");
  EXPECT_EQ(error_of([&] { view_.get<bool>("scale"); }).message(), "workload.scale: expected true or false, got 2");
  EXPECT_EQ(error_of([&] { view_.get<std::string>("scale"); }).message(), "workload.scale: expected a string, got 2");
  EXPECT_EQ(error_of([&] { view_.get<int64_t>("none"); }).message(), "workload.none: expected an integer, got null");
  EXPECT_EQ(error_of([&] { view_.get<std::vector<std::string>>("sizes"); }).message(),
            "workload.sizes[0]: expected a string, got 480");
  EXPECT_EQ(error_of([&] { view_.child("name"); }).message(), "workload.name: expected a map, got 'abc'");
  EXPECT_EQ(error_of([&] { view_.get_positive<int64_t>("zero"); }).message(),
            "workload.zero: expected a number above 0, got 0");
}

// Every type against every kind of value.
TEST(View, TakesOfEachTypeTheseValuesOnly) {
  const Node node = parse_yaml(
      "int: 2\nfloat: 2.5\nwhole: 2.0\nbool: true\ntext: abc\nnumber: '2'\nnothing: null\nlist: [1]\nmap: {x: 1}\n"
      "inf: .inf\nnan: .nan\nlarge: 2147483648\nsmall: -2147483649\nleast: -2147483648\n",
      "t.yaml");
  const View view(node);
  const auto taken = [&](const auto& get) {
    std::string out;
    for (const std::string& key : node.keys()) {
      try {
        get(key);
        out += (out.empty() ? "" : " ") + key;
      } catch (const Error& error) {
        EXPECT_THAT(error.message(), HasSubstr(key + ": expected ")) << key;
        EXPECT_EQ(error.exit_code(), 1) << key;
      }
    }
    return out;
  };
  EXPECT_EQ(taken([&](const std::string& key) { view.get<int64_t>(key); }), "int large small least");
  EXPECT_EQ(taken([&](const std::string& key) { view.get<int>(key); }), "int least");
  EXPECT_EQ(taken([&](const std::string& key) { view.get<double>(key); }), "int float whole large small least");
  EXPECT_EQ(taken([&](const std::string& key) { view.get<bool>(key); }), "bool");
  EXPECT_EQ(taken([&](const std::string& key) { view.get<std::string>(key); }), "text number");
  EXPECT_EQ(taken([&](const std::string& key) { view.get<std::vector<int64_t>>(key); }), "list");
  EXPECT_EQ(taken([&](const std::string& key) { view.child(key); }), "map");
  EXPECT_EQ(taken([&](const std::string& key) { view.at(key).items(); }), "list");
}

// 0 and below, and past the bound that is given or that every size has.
TEST(View, NumbersHaveBounds) {
  const Node node =
      parse_yaml("zero: 0\nminus: -1\nmost: 2147483647\nmore: 2147483648\nten: 10\ntiny: 0.1\n", "t.yaml");
  const View view(node);
  const auto message = [&](const std::function<void()>& run) { return error_of(run).message(); };
  EXPECT_EQ(view.get_positive<int64_t>("most"), 2147483647);
  EXPECT_EQ(message([&] { view.get_positive<int64_t>("more"); }),
            "more: expected a number of at most 2147483647, got 2147483648");
  EXPECT_EQ(view.get_positive<int64_t>("ten", 10), 10);
  EXPECT_EQ(message([&] { view.get_positive<int64_t>("ten", 9); }), "ten: expected a number of at most 9, got 10");
  EXPECT_EQ(message([&] { view.get_positive<int64_t>("minus"); }), "minus: expected a number above 0, got -1");
  EXPECT_EQ(message([&] { view.get_positive<double>("zero"); }), "zero: expected a number above 0, got 0");
  EXPECT_EQ(view.get_positive<double>("tiny"), 0.1);
  EXPECT_EQ(view.get_non_negative<int64_t>("zero"), 0);
  EXPECT_EQ(message([&] { view.get_non_negative<int64_t>("minus"); }), "minus: expected a number of 0 or more, got -1");
  EXPECT_EQ(message([&] { view.get_non_negative<int64_t>("ten", 9); }), "ten: expected a number of at most 9, got 10");
}

// They say what is done anyway, or are refused: nothing here reads them.
TEST(View, WhatInstantiateReservesIsNotIgnored) {
  for (const char* wrong : {"_args_: [1]", "_args_: 1", "_partial_: true", "_partial_: 0", "_recursive_: false",
                            "_recursive_: x", "_convert_: 1"}) {
    const Node node = parse_yaml(std::string("{b: 1, ") + wrong + "}\n", "t.yaml");
    const std::string key = std::string(wrong).substr(0, std::string(wrong).find(':'));
    EXPECT_EQ(error_of([&] { View(node).require_known_keys({"b"}); }).message().rfind(key + ": ", 0), 0) << wrong;
  }
}

TEST(View, UnknownKeysAreReportedTogether) {
  const Node node = parse_yaml("{heigth: 1, width: 2,\n depht: 3}\n", "t.yaml");
  const Error error = error_of([&] { View(node, "size").require_known_keys({"height", "width", "depth"}); });
  EXPECT_EQ(error.message(), "size.heigth: unknown key");
  EXPECT_EQ(error.span().column, 2);
  EXPECT_NE(std::string(error.what()).find("note: size.depht: unknown key\n  t.yaml:2:2"), std::string::npos)
      << error.what();
  EXPECT_NE(std::string(error.what()).find("did you mean 'depth'?"), std::string::npos);
}

TEST(View, SaysWhereAValueIs) {
  const Node node = parse_yaml(
      "a:\n  - {b: 1}\n  - {b: x, _target_: y, _args_: [], _recursive_: true, _convert_: all, _partial_: false}\n",
      "t.yaml");
  const View second = View(node).at("a").items()[1];
  EXPECT_EQ(second.path(), "a[1]");
  EXPECT_EQ(error_of([&] { second.get<int64_t>("b"); }).message(), "a[1].b: expected an integer, got 'x'");
  EXPECT_EQ(error_of([&] { second.get<int64_t>("b"); }).span().line, 3);
  second.require_known_keys({"b"});  // what instantiate reserves is no key of the node
  EXPECT_EQ(error_of([&] { second.require_known_keys({"c"}); }).message(), "a[1].b: unknown key");
  EXPECT_EQ(View(node).optional_child("c"), std::nullopt);
  EXPECT_EQ(error_of([&] { View(node).optional_child("a"); }).message(), "a: expected a map, got a list");
  EXPECT_EQ(View(node).get_or<std::vector<int64_t>>("c", {7}), std::vector<int64_t>{7});
}

TEST_F(ViewTest, MissingValuesAndKeys) {
  EXPECT_THAT(error_of([&] { view_.get<int64_t>("open"); }).message(), HasSubstr("Missing mandatory value"));
  EXPECT_THAT(error_of([&] { view_.optional<int64_t>("open"); }).message(), HasSubstr("Missing mandatory value"));
  const Error error = error_of([&] { view_.get<int64_t>("num_frame"); });
  EXPECT_EQ(error.message(), "workload.num_frame: missing");
  EXPECT_THAT(error.notes(), Contains("did you mean 'num_frames'?"));
}

TEST_F(ViewTest, UnknownKeysAndChoices) {
  const Error error = error_of([&] {
    view_.require_known_keys({"num_frames", "scale", "shift", "named", "flag", "sizes", "none", "open", "zero"});
  });
  EXPECT_EQ(error.message(), "workload.name: unknown key");
  EXPECT_EQ(error.span().line, 5);
  EXPECT_EQ(error.span().column, 3);
  EXPECT_THAT(error.notes(), Contains("did you mean 'named'?"));
  EXPECT_EQ(view_.get_choice("name", {"abc", "abd"}), "abc");
  EXPECT_THAT(error_of([&] { view_.get_choice("name", {"abd"}); }).notes(), Contains("did you mean 'abd'?"));
}

TEST_F(ViewTest, UnresolvedInterpolationIsAFault) {
  const Node node = parse_yaml("a: ${b}", "t.yaml");
  EXPECT_EQ(error_of([&] { View(node).get<int64_t>("a"); }).code(), ErrorCode::internal);
}

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};
struct Square : Shape {
  explicit Square(double side) : side_(side) {}
  double area() const override { return side_ * side_; }
  double side_;
};

TEST(Registry, MakesWhatTargetNames) {
  Registry<std::unique_ptr<Shape>> shapes("shape");
  shapes.add("shapes.Square", [](const View& config) {
    config.require_known_keys({"side"});
    return std::make_unique<Square>(config.get_positive<double>("side"));
  });
  const Node good = parse_yaml("_target_: shapes.Square\nside: 3\n", "t.yaml");
  EXPECT_EQ(shapes.instantiate(View(good))->area(), 9);

  const Node wrong = parse_yaml("s:\n  _target_: shapes.Sqare\n", "t.yaml");
  const Error error = error_of([&] { shapes.instantiate(View(wrong).child("s")); });
  EXPECT_EQ(error.message(), "s._target_: there is no shape 'shapes.Sqare'");
  EXPECT_EQ(error.span().line, 2);
  EXPECT_THAT(error.notes(), Contains("did you mean 'shapes.Square'?"));

  const Node none = parse_yaml("side: 3\n", "t.yaml");
  EXPECT_THAT(error_of([&] { shapes.instantiate(View(none)); }).message(), HasSubstr("no `_target_`"));
}

TEST(Registry, PlainValuesWithArguments) {
  Registry<int64_t, int64_t> numbers("number");
  numbers.add("plus", [](const View& config, int64_t more) { return config.get<int64_t>("value") + more; });
  const Node node = parse_yaml("_target_: plus\nvalue: 40\n", "t.yaml");
  EXPECT_EQ(numbers.instantiate(View(node), 2), 42);
  EXPECT_EQ(error_of([&] { numbers.add("plus", nullptr); }).code(), ErrorCode::internal);
}

}  // namespace
}  // namespace modelmeter::config
