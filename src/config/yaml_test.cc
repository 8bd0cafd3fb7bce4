#include "config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "config/access.h"

namespace modelmeter::config {
namespace {

using ::testing::HasSubstr;

Node parse(std::string text) { return parse_yaml(std::move(text), "test.yaml"); }

Error error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error for: " << text;
  return Error("none");
}

TEST(ParseYaml, KeepsOrderAndPlaces) {
  const Node node = parse("b: 1\na:\n  - x\n  - y: 2.5\n");
  EXPECT_THAT(node.keys(), ::testing::ElementsAre("b", "a"));
  const Node& value = *node.find("a")->items()[1].find("y");
  EXPECT_EQ(value.span().file, "test.yaml");
  EXPECT_EQ(value.span().line, 4);
  EXPECT_EQ(value.span().column, 8);
  EXPECT_EQ(value.span().text, "  - y: 2.5");
  EXPECT_EQ(node.entries()[1].key_mark.line, 2);
}

TEST(ParseYaml, LinesOfErrorsHaveNoCarriageReturn) {
  const Node node = parse("a: 1\r\nb:\r\n  c: x\r\n");
  EXPECT_EQ(node.find("b")->find("c")->span().text, "  c: x");
  EXPECT_EQ(node.find("b")->find("c")->span().line, 3);
  EXPECT_EQ(parse("a: 1\nb: 2").find("b")->span().text, "b: 2");  // no line break at the end
}

TEST(ParseYaml, EmptyAndBareRoots) {
  EXPECT_EQ(to_yaml(parse("")), "{}\n");
  EXPECT_EQ(to_yaml(parse("# only a comment\n")), "{}\n");
  EXPECT_EQ(to_yaml(parse("foo")), "foo: null\n");
  EXPECT_EQ(to_yaml(parse("- 1\n- 2\n")), "- 1\n- 2\n");
}

TEST(ParseYaml, QuotedTextIsText) {
  const Node node = parse("a: '1'\nb: \"true\"\nc: !!str 1\nd: !!float 1\ne: !!int '7'\n");
  EXPECT_EQ(node.find("a")->as_string(), "1");
  EXPECT_EQ(node.find("b")->as_string(), "true");
  EXPECT_EQ(node.find("c")->as_string(), "1");
  EXPECT_DOUBLE_EQ(node.find("d")->as_double(), 1.0);
  EXPECT_EQ(node.find("e")->as_int(), 7);
}

TEST(ParseYaml, AnchorsAndMergeKeys) {
  const Node node = parse("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nall:\n  <<: [*b, *o]\n  x: 9\ncopy: *b\n");
  EXPECT_EQ(to_yaml(*node.find("all")), "'y': 2\nz: 4\nx: 9\n");
  EXPECT_EQ(to_yaml(*node.find("copy")), "x: 1\n'y': 2\n");
}

TEST(ParseYaml, Errors) {
  EXPECT_THAT(error_of("a: 1\nb: 2\na: 3\n").message(), HasSubstr("found duplicate key a"));
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n").span().line, 3);
  EXPECT_THAT(error_of("1: x\ntrue: y\n").message(), HasSubstr("duplicate key true"));
  EXPECT_EQ(error_of("a: [1, 2\nb: 3\n").span().file, "test.yaml");
  EXPECT_THAT(error_of("a: !python/object:os.system x\n").message(), HasSubstr("constructor"));
  EXPECT_THAT(error_of("a: *nowhere\n").message(), HasSubstr("undefined alias 'nowhere'"));
  EXPECT_THAT(error_of("a: &x [*x]\n").message(), HasSubstr("inside what it stands for"));
  EXPECT_THAT(error_of("a: 1\n---\nb: 2\n").message(), HasSubstr("single document"));
  EXPECT_THAT(error_of("5\n").message(), HasSubstr("a config file holds a map, not an integer"));
  EXPECT_THAT(error_of("null: 1\n").message(), HasSubstr("null cannot be a key"));
  EXPECT_EQ(error_of("a: 1\nb: ${c\n").span().line, 2);
  EXPECT_THAT(error_of("a: \"open\nb: 2\nc: 3\n").notes(), testing::ElementsAre("it begins at test.yaml:1:4"));
  EXPECT_THAT(error_of("a: 1\nb: [1,\n 2\nc: 3\n").notes(), testing::ElementsAre("it begins at test.yaml:2:4"));
  EXPECT_THAT(error_of("a: [1 2: }\n").notes(), testing::IsEmpty());  // the line is shown already
  EXPECT_THAT(error_of(std::string(2000, '[')).message(), HasSubstr("nested more than 200 deep"));
}

TEST(ParseYaml, AliasesCannotExplode) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 0; k < 8; ++k) text += ", " + last;
    text += "]\n";
  }
  EXPECT_THAT(error_of(text).message(), HasSubstr("more than 1000000 values"));
}

// A config.json as model hubs have them.
TEST(ParseYaml, ReadsJson) {
  const Node node = parse_yaml(R"({
  "architectures": ["DeepseekOCRForCausalLM"],
  "attention_bias": false, "num_hidden_layers": 12,
  "rms_norm_eps": 1e-06, "rope_scaling": null, "torch_dtype": "bfloat16",
	"vision_config": {"image_size": [[1024, 1024], [640, 640]], "mlp_ratio": 3.7362, "width": {"clip-l-14-224": {"layers": 24}}},
  "auto_map": {"AutoConfig": "modeling.Config"}, "use_cache": true, "path": "a\/b\u00e9", "initializer_range": 0.02
})",
                               "config.json");
  const View view(node);
  EXPECT_DOUBLE_EQ(view.get<double>("rms_norm_eps"), 1e-6);
  EXPECT_EQ(view.get<int64_t>("num_hidden_layers"), 12);
  EXPECT_FALSE(view.get<bool>("attention_bias"));
  EXPECT_FALSE(view.has("rope_scaling"));
  EXPECT_EQ(view.get<std::string>("path"), "a/b\xc3\xa9");
  const View vision = view.child("vision_config");
  using Sizes = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(vision.get<Sizes>("image_size"), (Sizes{{1024, 1024}, {640, 640}}));
  EXPECT_EQ(vision.child("width").child("clip-l-14-224").get<int64_t>("layers"), 24);
  EXPECT_EQ(view.at("num_hidden_layers").span().line, 3);
  EXPECT_EQ(view.at("num_hidden_layers").span().column, 49);
}

TEST(ToYaml, Layout) {
  EXPECT_EQ(to_yaml(parse("list: [1, [3, 4], {a: b, c: d}]\nempty: []\nnone: {}\nn: null\nt: yes\n")),
            "list:\n- 1\n- - 3\n  - 4\n- a: b\n  c: d\nempty: []\nnone: {}\n'n': null\nt: true\n");
}

TEST(ToYaml, Floats) {
  EXPECT_EQ(to_yaml(parse("[1e20, 1e-5, 1.5e-7, .inf, -.inf, .nan, 1.0]")),
            "- 1.0e+20\n- 1.0e-05\n- 1.5e-07\n- .inf\n- -.inf\n- .nan\n- 1.0\n");
}

TEST(ToYaml, Quotes) {
  Node map = Node::map();
  map.set("y", Node::string("123"));
  map.set("b", Node::string("null"));
  map.set("c", Node::string("it's"));
  map.set("d", Node::string("a: b"));
  map.set("e", Node::string("two\nlines"));
  map.set("f", Node::string("tab\there"));
  map.set("g", Node::string("-.5"));
  map.set("h", Node::string(""));
  map.set("i", Node::string("12:30"));
  map.set(Key("1", KeyKind::integer), Node::string("${a}"));
  EXPECT_EQ(to_yaml(map),
            "'y': '123'\nb: 'null'\nc: it's\nd: 'a: b'\ne: 'two\n\n  lines'\nf: \"tab\\there\"\ng: '-.5'\nh: ''\n"
            "i: '12:30'\n1: ${a}\n");
}

TEST(ToYaml, FoldsAtWidth80) {
  Node map = Node::map();
  std::string text;
  for (int i = 0; i < 20; ++i) text += "word" + std::to_string(i) + " ";
  text.pop_back();
  map.set("key", Node::string(text));
  EXPECT_EQ(to_yaml(map),
            "key: word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 word12\n"
            "  word13 word14 word15 word16 word17 word18 word19\n");
}

// What is printed is read back as the same.
TEST(ToYaml, RoundTrips) {
  ::setenv("RC_PARAMS", "seed=1", 0);  // the same cases every time
  rc::check([] {
    static const std::vector<std::string> pieces = {"a",  "bc", " ",  "  ", "'",        "\"",   ":", ": ",
                                                    " #", "-",  "\n", "\t", "\xc3\xa9", "{",    "]", ",",
                                                    "&",  "!",  "|",  "1",  "null",     "true", "\\"};
    Node map = Node::map();
    const int keys = *rc::gen::inRange(1, 6);
    for (int i = 0; i < keys; ++i) {
      std::string text;
      const int length = *rc::gen::inRange(0, 30);
      for (int k = 0; k < length; ++k) text += *rc::gen::elementOf(pieces);
      map.set("k" + std::to_string(i), i % 2 ? Node::list({Node::string(text)}) : Node::string(text));
    }
    RC_ASSERT(equal(parse(to_yaml(map)), map));
  });
}

TEST(Yaml, ShortWordsAreQuotedWhereTheyWouldBeReadAsSomethingElse) {
  const auto printed = [](const std::string& word) { return to_yaml(Node::map({{Key("k"), Node::string(word), {}}})); };
  for (const std::string word :
       {"y",    "Y",   "n",   "yes", "No",  "ON",       "off",      "True",     "FALSE", "null",
        "Null", "NaN", "nan", "inf", "Inf", "Infinity", "infinity", "INFINITY", "1",     "1e5"}) {
    EXPECT_EQ(printed(word), "k: '" + word + "'\n");
  }
  for (const std::string word : {"e5", "a.b", "x/y", "name", "nul", "yess", "t", "block_00", "v1.5", "E", "o0", "b1",
                                 "infinit", "nano", "infinity_", "a1.0/B_"}) {
    EXPECT_EQ(printed(word), "k: " + word + "\n");
    EXPECT_EQ(parse(printed(word)).find("k")->as_string(), word);
  }
}

}  // namespace
}  // namespace modelmeter::config
