// What would ask for gigabytes, hours or a deeper stack than there is, is refused with the bound that it goes past;
// what is merely large is read, merged and resolved in linear time.
#include "config/limits.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "config/compose.h"
#include "config/key_index.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using testing::Contains;
using testing::HasSubstr;
using Files = std::map<std::string, std::string>;

Composition composed(const Files& files, const std::vector<std::string>& overrides = {}) {
  return compose(Repository(std::make_shared<MemoryFileSystem>(files), "conf"), "config", overrides);
}

template <class Run>
Error error_of(const Run& run) {
  const std::clock_t start = std::clock();
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    // Of processor time; a few tenths without a sanitizer.
    EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 20);
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Limits, ADefaultsListThatLeadsToItselfHasNoEnd) {
  const Error itself = error_of([] { composed({{"conf/config.yaml", "defaults:\n  - config\n"}}); });
  EXPECT_THAT(itself.message(), HasSubstr("more than 100 deep"));
  EXPECT_EQ(itself.span().line, 2);
  EXPECT_THAT(itself.notes(), Contains("… config -> config"));
  const Error circle = error_of([] {
    composed({{"conf/config.yaml", "defaults:\n  - a/one\n"},
              {"conf/a/one.yaml", "defaults:\n  - two\n"},
              {"conf/a/two.yaml", "defaults:\n  - /a/one\n"}});
  });
  EXPECT_EQ(circle.notes().size(), 1u);
  EXPECT_THAT(circle.notes()[0], testing::AnyOf("… a/one -> a/two -> a/one", "… a/two -> a/one -> a/two"));
}

TEST(Limits, OfDefaultsLists) {
  Files chain = {{"conf/config.yaml", "defaults:\n  - c0\n"}};
  for (int i = 0; i < 20'000; ++i) {
    chain[fmt::format("conf/c{}.yaml", i)] = fmt::format("defaults:\n  - c{}\nk{}: 1\n", i + 1, i);
  }
  EXPECT_THAT(error_of([&] { composed(chain); }).message(), HasSubstr("more than 100 deep"));
  chain["conf/c90.yaml"] = "last: 1\n";
  EXPECT_EQ(composed(chain).config.entries().size(), 91u);

  Files doubling = {{"conf/config.yaml", "defaults:\n  - c0\n"}, {"conf/c25.yaml", "z: 1\n"}};
  for (int i = 0; i < 25; ++i) {
    doubling[fmt::format("conf/c{}.yaml", i)] =
        fmt::format("defaults:\n  - /c{0}@x{1}\n  - /c{0}@y{1}\nv: 1\n", i + 1, i);
  }
  EXPECT_THAT(error_of([&] { composed(doubling); }).message(), HasSubstr("more than 10000 configs"));
}

TEST(Limits, OfDepth) {
  EXPECT_EQ(parse_yaml("a: " + std::string(199, '[') + std::string(199, ']'), "f").entries().size(), 1u);
  EXPECT_THAT(error_of([] { parse_yaml("a: " + std::string(200, '[') + std::string(200, ']'), "f"); }).message(),
              HasSubstr("more than 200 deep"));
  EXPECT_THAT(error_of([] { parse_yaml(repeated("- ", 100'000) + "1", "f"); }).message(),
              HasSubstr("more than 200 deep"));
  // Aliases in aliases: each line as deep as all before it.
  std::string text = "a0: &a0 [1]\n";
  for (int i = 1; i < 100; ++i) text += fmt::format("a{0}: &a{0} [[[[[*a{1}]]]]]\n", i, i - 1);
  EXPECT_THAT(error_of([&] { parse_yaml(text, "f"); }).message(), HasSubstr("more than 200 deep"));
}

TEST(Limits, OfKeys) {
  const Files files = {{"conf/config.yaml", "a: 1\n"}};
  EXPECT_NO_THROW(composed(files, {"+" + repeated("a.", 199) + "a=1"}));
  for (const char* sign : {"+", "++", ""}) {
    const std::string key = sign + repeated("a.", 60'000) + "a=1";
    EXPECT_THAT(error_of([&] { composed(files, {key}); }).message(),
                testing::AnyOf(HasSubstr("more than 200 parts"), HasSubstr("Could not override")));
  }
  const Files packages = {{"conf/config.yaml", "defaults:\n  - b\n"},
                          {"conf/b.yaml", "# @package " + repeated("a.", 230) + "a\nx: 1\n"}};
  EXPECT_THAT(error_of([&] { composed(packages); }).message(), HasSubstr("the package has more than 200 parts"));
}

TEST(Limits, OfAnchorsAndAliases) {
  std::string wide = "a: ";
  for (int i = 0; i < 150; ++i) wide += fmt::format("&x{} [{}", i, repeated("1,", 200));
  EXPECT_THAT(error_of([&] { parse_yaml(wide + std::string(150, ']'), "f"); }).message(),
              HasSubstr("more than 1000000 values"));
  EXPECT_THAT(error_of([] { parse_yaml(repeated("- 1\n", 1'000'001), "f"); }).message(),
              HasSubstr("more than 1000000 values"));
}

TEST(Limits, OfInterpolations) {
  const auto doubling = [](const std::string& what, int steps) {
    std::string text;
    for (int i = 0; i < steps; ++i) text += fmt::format(fmt::runtime("a{0}: " + what + "\n"), i, i + 1);
    return parse_yaml(text + fmt::format("a{}: 12345678\n", steps), "f");
  };
  const Node text = doubling("${{a{1}}}${{a{1}}}", 30), list = doubling("[\"${{a{1}}}\", \"${{a{1}}}\"]", 30),
             chain = doubling("${{a{1}}}", 20'000), short_chain = doubling("${{a{1}}}", 90);
  EXPECT_THAT(error_of([&] { resolve(text); }).message(), HasSubstr("interpolations"));
  EXPECT_THAT(error_of([&] { resolve(list); }).message(), HasSubstr("more than 500000 interpolations are followed"));
  EXPECT_THAT(error_of([&] { resolve(chain); }).message(), HasSubstr("lead to each other more than 100 deep"));
  EXPECT_EQ(resolve(short_chain).find("a0")->as_int(), 12345678);
  std::string rows = "a: [" + repeated("1, ", 999) + "1]\nb: [" + repeated("'${a}', ", 999) + "1]\n";
  const Node wide = parse_yaml(rows + "c: ['${b}', '${b}']\n", "f");
  EXPECT_THAT(error_of([&] { resolve(wide); }).message(), HasSubstr("larger than 1000000 values"));
  // Few steps, each of a lot of text.
  const Node long_text = parse_yaml(
      "a: " + std::string(1 << 20, 'x') + "\nb: " + repeated("${a}", 20) + "\nc: " + repeated("${b}", 20) + "\n", "f");
  EXPECT_THAT(error_of([&] { resolve(long_text); }).message(), HasSubstr("more than 64 MiB of text"));
  const Node decoded = parse_yaml("a: '${oc.decode:\"[${b},${b}]\"}'\nb: '${oc.decode:\"[${a}]\"}'\n", "f");
  error_of([&] { resolve(decoded); });
}

TEST(Limits, OfTheHydraNode) {
  std::string text = "hydra:\n  env:\n";
  for (int i = 0; i < 19; ++i) text += fmt::format("    x{0}: ${{hydra:env.x{1}}}${{hydra:env.x{1}}}\n", i, i + 1);
  const Composition run = composed({{"conf/config.yaml", text + "    x19: 1\na: ${hydra:env.x0}\n"}});
  EXPECT_THAT(error_of([&] { resolve(run); }).message(), HasSubstr("is used more than 10000 times"));
}

TEST(Limits, ManyKeysTakeLinearTime) {
  constexpr int count = 100'000;
  std::string text;
  for (int i = 0; i < count; ++i) text += fmt::format("k{0}: ${{k{1}}}\n", i, i % 10 == 9 ? i : i + 1);
  for (int i = 9; i < count; i += 10) {
    const std::string last = fmt::format("k{0}: ${{k{0}}}\n", i);
    text.replace(text.find(last), last.size(), fmt::format("k{0}: {0}\n", i));
    if (i > 2000) break;
  }
  text = text.substr(0, text.find("k2000:"));
  for (int i = 2000; i < count; ++i) text += fmt::format("k{0}: {0}\n", i);
  const std::clock_t start = std::clock();
  const Composition run =
      composed({{"conf/config.yaml", "defaults:\n  - other\n  - _self_\n" + text}, {"conf/other.yaml", text}},
               {"k50000=1", "~k60000", "+new=2"});
  const Node node = resolve(run);
  EXPECT_EQ(node.entries().size(), static_cast<size_t>(count));
  EXPECT_EQ(node.find("k0")->as_int(), 9);
  EXPECT_EQ(node.find("k50000")->as_int(), 1);
  EXPECT_EQ(node.find("k60000"), nullptr);
  EXPECT_EQ(node.find("k99999")->as_int(), 99'999);
  // A hundred times that where each key is looked for one by one.
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 10);
}

// The index finds what looking at one key after the other finds.
TEST(KeyIndex, FindsWhatASmallMapFinds) {
  const std::vector<Key> keys = {
      Key("1"),    Key("1", KeyKind::integer),   Key("1.0", KeyKind::floating),  Key("true", KeyKind::boolean),
      Key("true"), Key("0", KeyKind::integer),   Key("false", KeyKind::boolean), Key("null", KeyKind::null),
      Key("null"), Key("2.5", KeyKind::floating)};
  Map small;
  for (const Key& key : keys) {
    const bool there = std::any_of(small.begin(), small.end(), [&](const Entry& e) { return e.key == key; });
    if (!there) small.push_back({key, Node::integer(static_cast<int64_t>(small.size())), {}});
  }
  Map large = small;
  for (int i = 0; i < 100; ++i) large.push_back({Key(fmt::format("k{}", i)), Node::integer(-1), {}});
  Node one = Node::map(small), many = Node::map(large), built = Node::map();
  for (const Entry& entry : large) built.set(entry.key, entry.value);
  for (const Key& key : keys) {
    for (const Node* node : {&many, &built}) {
      const Entry *found = node->find_entry(key), *expected = one.find_entry(key);
      ASSERT_TRUE(found != nullptr && expected != nullptr) << key.text;
      EXPECT_EQ(found->value.as_int(), expected->value.as_int()) << key.text;
      const Node *by_text = node->find(key.text), *expected_by_text = one.find(key.text);
      ASSERT_EQ(by_text != nullptr, expected_by_text != nullptr) << key.text;
      if (by_text != nullptr) {
        EXPECT_EQ(by_text->as_int(), expected_by_text->as_int()) << key.text;
      }
    }
  }
  EXPECT_EQ(many.find("nowhere"), nullptr);
  EXPECT_TRUE(many.erase("k3"));
  EXPECT_FALSE(many.erase("k3"));
  EXPECT_EQ(many.find("k3"), nullptr);
  EXPECT_EQ(many.find("k99")->as_int(), -1);
  many.set("k3", Node::integer(7));
  Node copy = many;
  many.set("k3", Node::integer(8));
  EXPECT_EQ(copy.find("k3")->as_int(), 7);
  EXPECT_EQ(copy.entries().back().key.text, "k3");
}

TEST(Compose, RuntimeSaysWhereTheProgramRuns) {
  const Files files = {{"conf/config.yaml", "a: ${hydra:runtime.cwd}/models\nb: ${hydra:runtime.version_base}\n"}};
  const Repository repository(std::make_shared<MemoryFileSystem>(files), "conf");
  const Node node = resolve(compose(repository, "config", {}, {.working_directory = "/home/me"}));
  EXPECT_EQ(node.find("a")->as_string(), "/home/me/models");
  EXPECT_EQ(node.find("b")->as_string(), "1.3");
  // What is not known is an error, not the text ???.
  EXPECT_THAT(error_of([&] { resolve(compose(repository, "config", {})); }).message(),
              HasSubstr("hydra.runtime.cwd has no value here"));
}

TEST(ParseData, IsFinal) {
  const Node node = parse_data(R"({"a": "${b}", "b": "${", "c": [{"d": "x${y}"}]})", "config.json");
  EXPECT_FALSE(node.find("a")->is_interpolation());
  EXPECT_EQ(node.find("b")->as_string(), "${");
  EXPECT_EQ(node.find("c")->items()[0].find("d")->as_string(), "x${y}");
}

}  // namespace
}  // namespace modelmeter::config
