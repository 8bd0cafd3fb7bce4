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
