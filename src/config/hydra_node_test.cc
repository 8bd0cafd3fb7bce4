// The hydra node: its types, what is filled in, what is refused. Expectations are answers of Hydra 1.3.2, or say so.
#include <gmock/gmock.h>

#include <cstdlib>

#include "config/compose.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::map<std::string, std::string>& app() {
  static const std::map<std::string, std::string> files = {
      {"conf/config.yaml", "defaults:\n- db: my\n- extra: null\n- _self_\na: 1\nb: 2\n"},
      {"conf/db/my.yaml", "p: 1\n"},
      {"conf/db/pg.yaml", "p: 2\n"},
      {"conf/extra/x.yaml", "q: 1\n"},
      {"conf/foo.yaml", "a: 1\nhydra: {foo: 1}\n"}};
  return files;
}

Composition composed(const std::vector<std::string>& words, const std::string& name = "config") {
  return compose(Repository(std::make_shared<MemoryFileSystem>(app()), "conf"), name, words,
                 {.job_name = "app", .working_directory = "/here"});
}

std::string shown(const std::string& key, const std::vector<std::string>& words) {
  const std::optional<Node> node = resolve_key(composed(words), "hydra." + key);
  return node ? to_yaml(*node) : "nothing";
}

Error refusal(const std::vector<std::string>& words, const std::string& name = "config") {
  try {
    composed(words, name);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

TEST(HydraNode, ValuesAreConvertedToItsTypes) {
  EXPECT_TRUE(resolve_key(composed({"hydra.job.name=1"}), "hydra.job.name")->is(Kind::string));
  EXPECT_EQ(shown("job.name", {"hydra.job={name: 3}"}), "3\n");
  EXPECT_EQ(shown("job.chdir", {"hydra.job.chdir=on"}), "true\n");
  EXPECT_EQ(shown("job.chdir", {"hydra.job.chdir=0"}), "false\n");
  EXPECT_EQ(shown("job.num", {"hydra.job.num='7'"}), "7\n");
  EXPECT_EQ(shown("job.env_set", {"+hydra.job.env_set.A=1"}), "A: '1'\n");
  EXPECT_EQ(shown("mode", {"hydra.mode=2"}), "MULTIRUN\n");
  EXPECT_EQ(shown("mode", {"hydra.mode=RunMode.RUN"}), "RUN\n");
  EXPECT_EQ(shown("output_subdir", {"hydra.output_subdir=null"}), "null\n");
  EXPECT_EQ(shown("verbose", {"hydra.verbose=[a,b]"}), "- a\n- b\n");
}

TEST(HydraNode, OtherTypesAreRefused) {
  for (const auto& [word, message] : {
           std::pair{"hydra.job.chdir=banana", "Value 'banana' is not a valid bool (type str)"},
           {"hydra.job.num=abc", "Value 'abc' of type 'str' could not be converted to Integer"},
           {"hydra.job.name=null", "field 'hydra.job.name' is not Optional"},
           {"hydra.job.name=[1]", "Cannot convert 'list' to string: '[1]'"},
           {"hydra.job=1", "Invalid type assigned: int is not a subclass of JobConf. value: 1"},
           {"hydra.run=null", "field 'hydra.run' is not Optional"},
           {"hydra.hydra_logging=null", "field 'hydra.hydra_logging' is not Optional"},
           {"hydra.mode=FOO", "Invalid value 'FOO', expected one of [RUN, MULTIRUN]"},
           {"hydra.job.config.override_dirname.exclude_keys=abc",
            "Invalid value assigned: str is not a ListConfig, list or tuple."},
       }) {
    const Error error = refusal({word});
    EXPECT_EQ(error.message(), std::string("Error merging override ") + word + ": " + message);
    EXPECT_EQ(error.span().file, "<command line>");
  }
  EXPECT_EQ(refusal({}, "foo").message(), "In 'foo': Key 'foo' not in 'HydraConf'");
  EXPECT_EQ(refusal({}, "foo").span().column, 9);  // of the key
  // Hydra takes it, and nothing reads it.
  EXPECT_THAT(refusal({"+hydra.foo=1"}).message(), HasSubstr("Key 'foo' not in 'HydraConf'"));
}

TEST(HydraNode, SaysWhatIsComposed) {
  EXPECT_EQ(shown("runtime.cwd", {}), "/here\n");
  EXPECT_EQ(shown("runtime.version", {}), "1.3.2\n");
  EXPECT_EQ(shown("runtime.version_base", {}), "1.3\n");
  EXPECT_EQ(
      shown("runtime.config_sources", {}),
      "- path: hydra.conf\n  schema: pkg\n  provider: hydra\n- path: /here/conf\n  schema: file\n  provider: main\n"
      "- path: ''\n  schema: structured\n  provider: schema\n");
  EXPECT_THAT(shown("runtime.choices", {"db=pg"}), HasSubstr("extra: null\ndb: pg\n"));
  EXPECT_EQ(shown("job.config_name", {}), "config\n");
  EXPECT_EQ(shown("overrides.task", {"a=5", "b=${a}"}), "- a=5\n- b=5\n");  // interpolations are followed
  ::setenv("MODELMETER_COPIED", "x", 1);
  EXPECT_EQ(shown("job.env_set", {"hydra.job.env_copy=[MODELMETER_COPIED]"}), "MODELMETER_COPIED: x\n");
  EXPECT_THAT(refusal({"hydra.job.env_copy=[MODELMETER_NOT_SET]"}).message(), HasSubstr("not found"));
}

TEST(HydraNode, TheNameOfTheOverrides) {
  EXPECT_EQ(shown("job.override_dirname", {"b=3", "db=pg", "a=2", "hydra.job.name=x"}), "a=2,b=3,db=pg\n");
  const std::string options = "hydra.job.config.override_dirname.";
  EXPECT_EQ(shown("job.override_dirname",
                  {"b=3", "a=2", options + "kv_sep=-", options + "item_sep=_", options + "exclude_keys=[b]"}),
            "a-2\n");
  EXPECT_EQ(shown("job.override_dirname", {}), "\n");
}

// Hydra writes over these without a word.
TEST(HydraNode, WhatIsFilledInCannotBeSet) {
  for (const char* word : {"hydra.runtime.cwd=x", "hydra.runtime.output_dir=x", "hydra.job.override_dirname=x",
                           "hydra.job.config_name=x", "+hydra.runtime.choices.db=x", "hydra.overrides.task=[a]"}) {
    EXPECT_THAT(refusal({word}).message(), HasSubstr("cannot be set")) << word;
  }
}

TEST(HydraNode, ASearchPathThatIsNotThereWarns) {
  EXPECT_THAT(composed({"hydra.searchpath=[file:///nowhere,pkg://x]"}).warnings,
              ElementsAre("provider=hydra.searchpath in command-line, path=/nowhere is not available.",
                          "provider=hydra.searchpath in command-line, path=x is not available."));
  EXPECT_THAT(composed({}).warnings, ElementsAre());
}

TEST(HydraNode, AModeIsKeptAsAnOverride) {
  Composition run = composed({"a=2"});
  set_mode(run, "RUN");
  EXPECT_EQ(run.hydra.find("mode")->as_string(), "RUN");
  EXPECT_EQ(to_yaml(*run.hydra.find("overrides")), "hydra:\n- hydra.mode=RUN\ntask:\n- a=2\n");
  set_mode(run, "MULTIRUN");
  EXPECT_EQ(run.hydra.find("mode")->as_string(), "RUN");
}

}  // namespace
}  // namespace modelmeter::config
