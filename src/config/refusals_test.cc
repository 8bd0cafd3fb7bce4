// What composition, overrides, resolvers and YAML refuse: each with its words and its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <set>

#include "config/compose.h"
#include "config/merge.h"
#include "config/override.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Files = std::map<std::string, std::string>;

Error error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

// --- files and defaults lists ---

Error of_files(Files files, const std::vector<std::string>& words = {}, bool multirun = false) {
  Files there = {{"conf/db/my.yaml", "v: my\n"}, {"conf/db/pg.yaml", "v: pg\n"}};
  for (auto& [path, text] : files) there["conf/" + path] = text;
  ComposeOptions options;
  options.multirun = multirun;
  return error_of(
      [&] { compose(Repository(std::make_shared<MemoryFileSystem>(there), "conf"), "config", words, options); });
}

TEST(Refused, DefaultsLists) {
  struct Case {
    const char *list, *message;
    int line = 2;
  };
  const Case cases[] = {
      {"  - 5\n", "Unsupported type in defaults : int"},
      {"  - 1.5\n", "Unsupported type in defaults : float"},
      {"  - true\n", "Unsupported type in defaults : bool"},
      {"  - null\n", "Unsupported type in defaults : NoneType"},
      {"  - [db]\n", "Unsupported type in defaults : list"},
      {"  - {}\n", "In config: Missing group name in {}"},
      {"  - '': my\n", "In config: Missing group name"},
      {"  - db: 5\n", "In 'config': Unsupported option of type int for 'db' in the defaults list"},
      {"  - db: 1.5\n", "In 'config': Unsupported option of type float for 'db'"},
      {"  - db: true\n", "In 'config': Unsupported option of type bool for 'db'"},
      {"  - db: {my: 1}\n", "In 'config': Unsupported option of type dict for 'db'"},
      {"  - db: [my, 1]\n", "In 'config': Unsupported option of type list for 'db'"},
      {"  - db\\my\n", "backslashes are not supported in a defaults list: 'db\\my'"},
      {"  - db/../db/my\n", "'..' is not supported in a defaults list: 'db/../db/my'"},
      {"  - db: ../db/my\n", "'..' is not supported in a defaults list: '../db/my'"},
      {"  - db@_name_: my\n", "'_name_' in a package is no longer supported: 'db@_name_'"},
      {"  - _self_@x\n", "_self_ cannot have a package"},
      {"  - _self_\n  - _self_\n", "Duplicate _self_ defined in config", 3},
      {"  - optionl db: my\n", "In 'config': Unsupported keyword 'optionl' in defaults list"},
      {"  - db: ${defaults.0.db}\n",
       "Defaults list element 'db=${defaults.0.db}' is using a deprecated interpolation form."},
      {"  - db: ${oc.env:HOME}\n", "In 'config': resolvers are not supported in a defaults list: '${oc.env:HOME}'"},
      {"  - db: ${open\n", "interpolation"},
      {"  - db: [my, '${x}']\n", "In 'config': Defaults List interpolation is not supported in options list items"},
  };
  for (const Case& c : cases) {
    const Error error = of_files({{"config.yaml", std::string("defaults:\n") + c.list}});
    if (std::string(c.message) != "interpolation") {
      EXPECT_THAT(error.message(), StartsWith(c.message)) << c.list;
    }
    EXPECT_EQ(error.exit_code(), 1);
    EXPECT_EQ(error.span().file, "conf/config.yaml") << c.list;
    EXPECT_EQ(error.span().line, c.line) << c.list;
  }
  EXPECT_THAT(of_files({{"config.yaml", "defaults:\n  - optionl db: my\n"}}).notes(),
              Contains("did you mean 'optional'?"));
}

TEST(Refused, ListsThatAreNone) {
  const std::pair<const char*, const char*> lists[] = {
      {"{db: my}", "mapping"}, {"my", "str"}, {"5", "int"}, {"1.5", "float"}, {"true", "bool"}};
  for (const auto& [list, type] : lists) {
    EXPECT_EQ(of_files({{"config.yaml", std::string("defaults: ") + list + "\n"}}).message(),
              std::string("Invalid defaults list in 'config', defaults must be a list (got ") + type + ")");
  }
}

TEST(Refused, WhatFilesSayElsewhere) {
  EXPECT_EQ(of_files({{"config.yaml", "defaults:\n  - items\n"}, {"items.yaml", "- 1\n"}}).message(),
            "In 'items': a list needs a package to be put at");
  EXPECT_EQ(of_files({{"config.yaml", "- 1\n"}}).message(),
            "primary config 'config' must be a DictConfig, got ListConfig");
  EXPECT_EQ(
      of_files({{"config.yaml", "defaults:\n  - other\n"}, {"other.yaml", "hydra:\n  searchpath: [x]\n"}}).message(),
      "In 'other': Overriding hydra.searchpath is only supported from the primary config");
  EXPECT_EQ(of_files({{"config.yaml", "hydra:\n  searchpath: x\n"}}).message(),
            "hydra.searchpath must be a list of strings. Got: x");
  EXPECT_EQ(of_files({{"config.yaml", "hydra:\n  searchpath: [x, 1]\n"}}).message(),
            "hydra.searchpath must be a list of strings. Got: ['x', 1]");
  EXPECT_EQ(of_files({{"config.yaml", "a: 1\n"}}, {"hydra.searchpath=x"}).message(),
            "hydra.searchpath must be a list of strings. Got: x");
  for (const char* package : {"_group_", "a._group_.b", "_name_", "x._name_"}) {
    EXPECT_EQ(of_files({{"config.yaml", std::string("# @package ") + package + "\na: 1\n"}}).message(),
              std::string("'") + package + "' in a package header is no longer supported");
  }
  // A list whose option is chosen by another may not override what was chosen before.
  const Error inside = of_files({{"config.yaml", "defaults:\n  - db: my\n  - kind: k\n  - more: ${kind}\n"},
                                 {"kind/k.yaml", "k: 1\n"},
                                 {"more/k.yaml", "defaults:\n  - override /db: pg\n"}});
  EXPECT_THAT(inside.message(), StartsWith("more/k: Default List Overrides are not allowed in the subtree\n"
                                           "of an in interpolated config group (override db@more.db=pg)."));
}

TEST(Refused, WordsOfGroups) {
  const Files files = {{"config.yaml", "defaults:\n  - db: my\n"}};
  EXPECT_EQ(of_files(files, {"~db=[my]"}).message(),
            "Config group override deletion value must be a string : ~db=[my]");
  EXPECT_EQ(of_files(files, {"~db=1"}).message(), "Config group override deletion value must be a string : ~db=1");
  EXPECT_EQ(of_files(files, {"db=[my,1]"}).message(),
            "Config group override must be a string or a list of strings. Got ['my', 1]");
  EXPECT_EQ(of_files(files, {"~db=pg"}).message(), "Could not delete 'db=pg'. No match in the defaults list");
  EXPECT_EQ(of_files(files, {"hydra.job.name=a,b"}, true).message(),
            "Sweeping over Hydra's configuration is not supported : 'hydra.job.name=a,b'");
  EXPECT_THAT(of_files(files, {"db=my,pg"}).message(), HasSubstr("Ambiguous value for argument 'db=my,pg'"));
  EXPECT_THAT(of_files(files, {"db=my,pg"}).notes(), Contains("To use it as a list, use key=[value1,value2]"));
  EXPECT_THAT(of_files(files, {"db@x=pg"}).notes(), Contains("Did you mean to override db?"));
  const Files twice = {{"config.yaml", "defaults:\n  - db@a: my\n  - db@b: my\n"}};
  EXPECT_THAT(of_files(twice, {"db=pg"}).notes(), Contains("Did you mean to override one of db@a, db@b?"));
  EXPECT_THAT(of_files(twice, {"db=pg"}).notes(), Contains("To append to your default list use +db=pg"));
}

TEST(Composed, WithoutAPrimaryConfigIsWhatTheWordsAdd) {
  const Repository repository(
      std::make_shared<MemoryFileSystem>(Files{{"conf/db/my.yaml", "v: my\n"}, {"conf/config.yaml", "a: 1\n"}}),
      "conf");
  const Composition run = compose(repository, "", {"+db=my", "+x=1"});
  EXPECT_EQ(to_yaml(run.config), "db:\n  v: my\nx: 1\n");
  EXPECT_EQ(run.config_name, "");
  EXPECT_EQ(to_yaml(compose(repository, "", {}).config), "{}\n");
}

// In a sweep a choice that is open is left to the jobs, and so are sweeps.
TEST(Composed, ForASweepLeavesOpenWhatJobsChoose) {
  const Repository repository(
      std::make_shared<MemoryFileSystem>(
          Files{{"conf/db/my.yaml", "v: my\n"}, {"conf/config.yaml", "defaults:\n  - db: ??\?\nlr: 1\n"}}),
      "conf");
  ComposeOptions options;
  options.multirun = true;
  Composition run = compose(repository, "config", {"lr=1,2", "db=my,pg"}, options);
  EXPECT_EQ(to_yaml(run.config), "lr: 1\n");
  set_mode(run, "MULTIRUN");
  set_mode(run, "RUN");  // it has one
  EXPECT_EQ(run.hydra.find("mode")->as_string(), "MULTIRUN");
  EXPECT_THAT(run.overrides, testing::ElementsAre("lr=1,2", "db=my,pg"));
}

// --- merging ---

TEST(Refused, MergingWithWhatHoldsNothing) {
  Node map = parse_yaml("a: 1\n", "f");
  const Resolvers resolvers = Resolvers::standard();
  EXPECT_EQ(error_of([&] { merge(map, Node::null(), resolvers); }).message(), "Cannot merge with a None config");
  EXPECT_EQ(error_of([&] { merge(map, Node::integer(1), resolvers); }).message(), "Cannot merge with a None config");
  EXPECT_EQ(error_of([&] { update(map, "", Node::integer(1), resolvers, {}); }).message(), "an override needs a key");
  EXPECT_EQ(error_of([&] { update(map, "..", Node::integer(1), resolvers, {}); }).message(), "an override needs a key");
}

// --- resolvers ---

TEST(Refused, ResolversWithTheWrongNumberOfArguments) {
  const std::pair<const char*, const char*> cases[] = {
      {"${oc.env:}", "oc.env: expected 1 or 2 arguments, got 0"},
      {"${oc.env:a,b,c}", "oc.env: expected 1 or 2 arguments, got 3"},
      {"${oc.select:}", "oc.select: expected 1 or 2 arguments, got 0"},
      {"${oc.select:a,b,c}", "oc.select: expected 1 or 2 arguments, got 3"},
      {"${oc.create:a,b}", "oc.create: expected 1 argument, got 2"},
      {"${oc.decode:a,b}", "oc.decode: expected 1 argument, got 2"},
      {"${oc.decode:1}", "oc.decode: expected a string, got an integer"},
      {"${oc.dict.keys:}", "oc.dict.keys: expected 1 argument, got 0"},
      {"${oc.dict.keys:nope}", "oc.dict.keys: Key not found: 'nope'"},
      {"${oc.dict.keys:list}", "oc.dict.keys: 'list' is a list, not a map"},
      {"${oc.dict.values:a,b}", "oc.dict.values: expected 1 argument, got 2"},
      {"${oc.dict.values:one}", "oc.dict.values: 'one' is an integer, not a map"},
      {"${oc.deprecated:}", "oc.deprecated: expected 1 or 2 arguments, got 0"},
      {"${oc.deprecated:nope}", "oc.deprecated: Key not found: 'nope'"},
      {"${eval:1,2}", "eval: expected 1 argument, got 2"},
      {"${eval:[1]}", "eval: a list is no expression"},
      {"${eval:true}", "eval: a bool is no expression"},
      {"${now:}", "now: expected 1 argument, got 0"},
      {"${oc.evn:a}", "Unsupported interpolation type oc.evn"},
  };
  for (const auto& [text, message] : cases) {
    const std::string yaml = "one: 1\nlist: [1]\nx: '" + std::string(text) + "'\n";
    const Error error = error_of([&] { resolve(parse_yaml(yaml, "f")); });
    EXPECT_EQ(error.message(), message) << text;
    EXPECT_EQ(error.span().line, 3) << text;
    EXPECT_THAT(error.notes(), Contains("full_key: x")) << text;
  }
  EXPECT_THAT(error_of([] { resolve(parse_yaml("x: '${oc.evn:a}'\n", "f")); }).notes(),
              Contains("did you mean 'oc.env'?"));
}

// What a resolver makes is a value: it is not read again.
TEST(Resolvers, MakeValues) {
  Resolvers resolvers = Resolvers::standard();
  resolvers.add("text", [](const std::vector<Node>&, const ResolverScope&) { return Node::string("${a}"); });
  resolvers.add("map", [](const std::vector<Node>&, const ResolverScope&) {
    Node out = Node::map();
    out.set("x", Node::list({Node::string("${a}"), Node::integer(2)}));
    return out;
  });
  const Node node = resolve(parse_yaml("a: 1\nb: ${text:}\nc: ${map:}\nd: ${c.x}\n", "f"), resolvers);
  EXPECT_EQ(to_yaml(node), "a: 1\nb: ${a}\nc:\n  x:\n  - ${a}\n  - 2\nd:\n- ${a}\n- 2\n");
  ::setenv("MODELMETER_TEST_TEXT", "${a}", 1);
  EXPECT_EQ(resolve(parse_yaml("a: 1\nb: ${oc.env:MODELMETER_TEST_TEXT}\n", "f")).find("b")->as_string(), "${a}");
}

TEST(Select, FindsResolvedValues) {
  const Node root = parse_yaml("a:\n  b: ${c}\nc: 5\n", "f");
  EXPECT_EQ(select(root, "a.b")->as_int(), 5);
  EXPECT_FALSE(select(root, "a.x").has_value());
  EXPECT_EQ(parse_element("[1, ${c}, x]", root, Resolvers::standard()).items()[1].as_int(), 5);
}

// --- words ---

TEST(Refused, IntegersBeyond64Bits) {
  EXPECT_THAT(error_of([] { parse_override("a=9223372036854775808"); }).message(),
              HasSubstr("integer 9223372036854775808 does not fit 64 bits"));
  EXPECT_EQ(parse_override("a=-9223372036854775808").node().as_int(), std::numeric_limits<int64_t>::min());
  // As the key of a map it is text.
  const Node map = parse_override("a={9223372036854775808:1}").node();
  EXPECT_EQ(map.entries()[0].key.kind, KeyKind::string);
  EXPECT_THAT(error_of([] { plain_scalar("153722867280912931:00", {}); }).message(), HasSubstr("does not fit 64 bits"));
  EXPECT_EQ(plain_scalar("153722867280912930:7", {}).as_int(), 9223372036854775807);
}

// shuffle() of a list is done here, always in the same way, and loses nothing.
TEST(Shuffle, OfAListGivesTheSameOrderEveryTime) {
  const Node once = parse_override("a=shuffle([1,2,3,4,5,6,7,8])").node(),
             again = parse_override("a=shuffle([1,2,3,4,5,6,7,8])").node();
  EXPECT_TRUE(equal(once, again));
  std::multiset<int64_t> values;
  bool moved = false;
  for (size_t i = 0; i < once.items().size(); ++i) {
    values.insert(once.items()[i].as_int());
    moved |= once.items()[i].as_int() != static_cast<int64_t>(i) + 1;
  }
  EXPECT_EQ(values, (std::multiset<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_TRUE(moved);
  EXPECT_EQ(parse_override("a=shuffle([1])").node().items()[0].as_int(), 1);
  EXPECT_THAT(error_of([] { parse_override("a=shuffle(1)"); }).message(),
              HasSubstr("only lists and sweeps can be shuffled"));
}

TEST(PythonStr, ShowsWhatPythonShows) {
  Node map = Node::map();
  map.set(Key("null", KeyKind::null), Node::integer(1));
  map.set(Key("false", KeyKind::boolean), Node::floating(1.5));
  map.set(Key("1.5", KeyKind::floating), Node::string("a\x01\n\t\r\\'"));
  map.set("m", *parse_yaml("x: ??\?\n", "f").find("x"));
  EXPECT_EQ(python_str(map), R"({None: 1, False: 1.5, 1.5: "a\x01\n\t\r\\'", 'm': ')" + std::string("??\?") + "'}");
}

// --- YAML ---

TEST(Refused, YamlThatIsNone) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: &x [1]\nb:\n  <<: [*x]\n", "expected a map for merging, but found a list"},
      {"a: &x 1\nb:\n  <<: *x\n", "expected a map or a list of maps for merging, but found an integer"},
      {"? [1]\n: 2\n", "a list cannot be a key"},
      {"? {a: 1}\n: 2\n", "a map cannot be a key"},
      {"null: 2\n", "null cannot be a key"},
      {"a: 1\na: 2\n", "while constructing a mapping, found duplicate key a"},
      {"1: a\n1.0: b\n", "while constructing a mapping, found duplicate key 1.0"},
      {"a: *x\n", "found undefined alias 'x'"},
      {"a: &x [*x]\n", "alias 'x' is inside what it stands for"},
      {"a: !!map [1]\n", "could not determine a constructor for the tag '!!map'"},
      {"a: !!seq {x: 1}\n", "could not determine a constructor for the tag '!!seq'"},
      {"a: !x [1]\n", "could not determine a constructor for the tag '!x'"},
      {"a: !!bool x\n", "'x' is not a !!bool"},
      {"a: !!int 1.5\n", "'1.5' is not a !!int"},
      {"a: !!float x\n", "'x' is not a !!float"},
      {"5\n", "a config file holds a map, not an integer"},
      {"1.5\n", "a config file holds a map, not a float"},
      {"true\n", "a config file holds a map, not a bool"},
      {"a: 1\n---\nb: 2\n", "expected a single document in the file, but found another"},
      {"a: ${b\n", "found the end"},
      {"a: 9223372036854775808\n", "integer 9223372036854775808 does not fit 64 bits"},
      {"a: \x80\n", "YAML: "},
  };
  for (const auto& [text, message] : cases) {
    const Error error = error_of([&, &yaml = text] { parse_yaml(yaml, "f.yaml"); });
    EXPECT_THAT(error.message(), HasSubstr(message)) << text;
    EXPECT_EQ(error.exit_code(), 1) << text;
    EXPECT_TRUE(error.span().known()) << text;
  }
}

TEST(Node, ReadAsWhatItIsNotIsAFaultOfTheProgram) {
  for (const auto& read : std::vector<std::function<void(const Node&)>>{
           [](const Node& n) { n.as_bool(); }, [](const Node& n) { n.as_int(); }, [](const Node& n) { n.as_double(); },
           [](const Node& n) { n.as_string(); }, [](const Node& n) { n.items(); }}) {
    const Node null;
    EXPECT_EQ(error_of([&] { read(null); }).exit_code(), 70);
  }
  const std::pair<Node, const char*> kinds[] = {
      {Node::null(), "null"},         {Node::boolean(true), "a bool"}, {Node::integer(1), "an integer"},
      {Node::floating(1), "a float"}, {Node::string("x"), "a string"}, {Node::list(), "a list"},
      {Node::map(), "a map"}};
  for (const auto& [node, name] : kinds) EXPECT_EQ(with_article(node.kind()), name);
}

}  // namespace
}  // namespace modelmeter::config
