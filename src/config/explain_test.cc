#include "config/explain.h"

#include <gmock/gmock.h>

namespace modelmeter::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Explanation explained(const std::string& key, const std::vector<std::string>& words = {}) {
  static const Repository repository(
      std::make_shared<MemoryFileSystem>(std::map<std::string, std::string>{
          {"conf/config.yaml", "defaults:\n- db: my\n- _self_\nname: ${db.port}-${.tag}\ntag: t\nl: [1, 2]\n"},
          {"conf/db/base.yaml", "port: 1\nhost: h\n"},
          {"conf/db/my.yaml", "defaults:\n- base\n- _self_\nport: 2\n"},
          {"conf/db/pg.yaml", "port: 3\n"}}),
      "conf");
  return explain(repository, compose(repository, "config", words), key);
}

std::vector<std::string> places(const Explanation& explanation) {
  std::vector<std::string> out;
  for (const Setting& setting : explanation.settings) out.push_back(setting.place + " " + setting.value);
  return out;
}

TEST(Explain, EveryFileAndWordThatSetsAValue) {
  const Explanation port = explained("db.port", {"db.port=5", "++db.port=6"});
  EXPECT_EQ(port.value, "6");
  EXPECT_EQ(port.resolved, "");
  EXPECT_THAT(places(port),
              ElementsAre("conf/db/base.yaml:1:7 1", "conf/db/my.yaml:4:7 2", "<command line> 5", "<command line> 6"));
  EXPECT_THAT(port.settings[0].chain, ElementsAre("db/base", "db/my", "config"));
  EXPECT_THAT(port.settings[1].chain, ElementsAre("db/my", "config"));
  EXPECT_THAT(port.settings[3].chain, ElementsAre("++db.port=6"));
  EXPECT_THAT(places(explained("db.host", {"db=my"})), ElementsAre("conf/db/base.yaml:2:7 h"));
  EXPECT_THAT(places(explained("db.port", {"db=pg"})), ElementsAre("conf/db/pg.yaml:1:7 3"));
  EXPECT_THAT(places(explained("l.1")), ElementsAre("conf/config.yaml:6:8 2"));
  EXPECT_THAT(explained("db").value, "a map of 2 keys");
}

TEST(Explain, WhatInterpolationsRead) {
  const Explanation name = explained("name");
  EXPECT_EQ(name.value, "${db.port}-${.tag}");
  EXPECT_EQ(name.resolved, "2-t");
  ASSERT_EQ(name.reads.size(), 2U);
  EXPECT_EQ(name.reads[0].key, "db.port");
  EXPECT_EQ(name.reads[1].key, "tag");
  EXPECT_THAT(explanation_text(name), HasSubstr("name = 2-t\n> conf/config.yaml:4:7  ${db.port}-${.tag}\n    config\n"
                                                "  db.port = 2\n"));
  EXPECT_THAT(explanation_text(explained("hydra.runtime.version")), HasSubstr("filled in"));
}

TEST(Explain, AKeyThatIsNotThere) {
  try {
    explained("db.prot");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "there is no db.prot");
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'port'?"));
  }
}

}  // namespace
}  // namespace modelmeter::config
