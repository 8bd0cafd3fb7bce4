#include "config/interpolation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string resolved(const std::string& text) { return to_yaml(resolve(parse_yaml(text, "t.yaml"))); }

Error error_of(const std::string& text) {
  try {
    resolve(parse_yaml(text, "t.yaml"));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error for: " << text;
  return Error("none");
}

TEST(Resolve, KeepsTypes) {
  EXPECT_EQ(resolved("a: 1\nb: ${a}\nc: x${a}\nd: [true]\ne: ${d}\nf: ${d[0]}-${d.0}\n"),
            "a: 1\nb: 1\nc: x1\nd:\n- true\ne:\n- true\nf: True-True\n");
}

TEST(Resolve, RelativeAndNested) {
  EXPECT_EQ(resolved("k: y\na: {x: 1, y: '${.x}', z: '${..k}', w: '${a.${k}}'}\n"),
            "k: 'y'\na:\n  x: 1\n  'y': 1\n  z: 'y'\n  w: 1\n");
}

TEST(Resolve, RelativeToWhereTheTargetStands) {
  EXPECT_EQ(resolved("a: {x: 1, y: '${.x}'}\nb: {x: 2, y: '${a.y}'}\n"),
            "a:\n  x: 1\n  'y': 1\nb:\n  x: 2\n  'y': 1\n");
}

TEST(Resolve, Escapes) {
  EXPECT_EQ(resolved(R"(a: 1
b: \${a}
c: \\${a}
d: '${a}\'
)"),
            "a: 1\nb: ${a}\nc: \\1\nd: 1\\\n");
}

TEST(Resolve, MissingStays) {
  const std::string text =
      "a: ??"
      "?\nb: ${a}\n";
  EXPECT_EQ(resolved(text),
            "a: ??"
            "?\nb: ??"
            "?\n");
  EXPECT_EQ(resolved("a: ??"
                     "?\nb: x${a}\nc: ${b}y\nd: ${oc.decode:${a}}\n"),
            "a: ??"
            "?\nb: ??"
            "?\nc: ??"
            "?\nd: ??"
            "?\n");
}

// What a pointer says is a path, from the root or from here.
TEST(Resolve, PointersMayBeDotted) {
  EXPECT_EQ(resolved("p: d.n\nd: {n: 1, q: '.n', r: '${${.q}}'}\nx: ${${p}}\nl: [5]\ni: 'l[0]'\ny: ${${i}}\n"),
            "p: d.n\nd:\n  'n': 1\n  q: .n\n  r: 1\nx: 1\nl:\n- 5\ni: l[0]\n'y': 5\n");
}

// As OmegaConf 2.3.0 answers.
TEST(Resolve, DecodeKeepsBlanksAndCreateReadsYaml) {
  EXPECT_EQ(resolved("a: \"${oc.decode:' 10 '}\"\nb: \"${oc.decode:' x${n} '}\"\nn: 1\nc: \"${oc.decode:'10'}\"\n"),
            "a: ' 10 '\nb: ' x1 '\n'n': 1\nc: 10\n");
  EXPECT_THAT(error_of("a: \"${oc.decode:' [1]'}\"\n").message(), HasSubstr("expected"));
  EXPECT_EQ(resolved("a: ${oc.create:abc}\nb: \"${oc.create:'[1, 2]'}\"\nc: \"${oc.create:''}\"\n"),
            "a:\n  abc: null\nb:\n- 1\n- 2\nc: {}\n");
  EXPECT_THAT(error_of("a: ${oc.create:5}\n").message(), HasSubstr("expected a map, a list or a text"));
  EXPECT_THAT(error_of("a: \"${oc.create:'5'}\"\n").message(), HasSubstr("holds a map, not an integer"));
}

TEST(Resolve, Resolvers) {
  ::setenv("MODELMETER_TEST_VARIABLE", "12", 1);
  EXPECT_EQ(resolved("a: ${oc.env:MODELMETER_TEST_VARIABLE}\nb: ${oc.decode:${a}}\nc: ${oc.env:MM_NOT_SET,null}\n"
                     "d: ${oc.select:nope,5}\ne: {x: 1}\nf: ${oc.dict.keys:e}\ng: ${oc.dict.values:e}\n"
                     "h: '${oc.create:{p: [1, 2]}}'\n"),
            "a: '12'\nb: 12\nc: null\nd: 5\ne:\n  x: 1\nf:\n- x\ng:\n- 1\nh:\n  p:\n  - 1\n  - 2\n");
  const Node node = parse_yaml("t: ${now:%Y}", "t.yaml");
  EXPECT_EQ(resolve(node, Resolvers::standard(86400 * 365)).find("t")->as_string(), "1971");
}

TEST(Resolve, Arithmetic) {
  EXPECT_EQ(resolved("w: 480\nh: ${eval:${w} * 2 + 1}\nf: ${eval:'(${w} - 1) / 2'}\n"), "w: 480\nh: 961\nf: 239.5\n");
}

TEST(Resolve, OwnResolver) {
  Resolvers resolvers = Resolvers::standard();
  resolvers.add("twice", [](const std::vector<Node>& args, const ResolverScope&) {
    return Node::integer(2 * args.at(0).as_int());
  });
  EXPECT_EQ(resolve(parse_yaml("a: ${twice:21}", "t.yaml"), resolvers).find("a")->as_int(), 42);
}

TEST(Resolve, ErrorsPointAtTheInterpolation) {
  const Error error = error_of("width: 1\nb:\n  c: ${wdith}\n");
  EXPECT_EQ(error.message(), "Interpolation key 'wdith' not found");
  EXPECT_EQ(error.span().line, 3);
  EXPECT_THAT(error.notes(), Contains("did you mean 'width'?"));
  EXPECT_THAT(error.notes(), Contains("full_key: b.c"));
  EXPECT_THAT(error_of("a: ${unk:1}").message(), HasSubstr("Unsupported interpolation type unk"));
  EXPECT_THAT(error_of("a: ${...b}").message(), HasSubstr("Error resolving key '...b'"));
  EXPECT_THAT(error_of("a: 1\nb: ${a.x}").message(), HasSubstr("node `a` is not a container"));
  EXPECT_THAT(error_of("a: ${oc.env:MM_NOT_SET}").message(), HasSubstr("'MM_NOT_SET' not found"));
}

TEST(Resolve, Circles) {
  EXPECT_THAT(error_of("a: ${b}\nb: ${a}").message(), HasSubstr("Recursive interpolation detected"));
  EXPECT_THAT(error_of("a: x${a}").message(), HasSubstr("Recursive interpolation detected"));
  EXPECT_THAT(error_of("a:\n  b: ${a}").message(), HasSubstr("Interpolation to parent node detected"));
  EXPECT_THAT(error_of("x: ${b}\nb:\n  c: ${x}").message(), HasSubstr("Interpolation to parent node detected"));
  EXPECT_THAT(error_of("x: ${b}\nb: {c: '${oc.select:x}'}").message(), HasSubstr("detected"));
}

TEST(Resolve, ValueKeepsThePlaceOfTheInterpolation) {
  const Node node = resolve(parse_yaml("a: 1\nb: ${a}\n", "t.yaml"));
  EXPECT_EQ(node.find("b")->span().line, 2);
}

}  // namespace
}  // namespace modelmeter::config
