#include "config/sweeper.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Repository& groups() {
  static const Repository repository(
      std::make_shared<const MemoryFileSystem>(std::map<std::string, std::string>{
          {"conf/config.yaml", "lr: 1\n"}, {"conf/db/mysql.yaml", "a: 1\n"}, {"conf/db/pg.yaml", "a: 2\n"}}),
      "conf");
  return repository;
}

std::vector<std::vector<std::string>> jobs(const std::vector<std::string>& words) {
  const Product product = Product::of(groups(), words);
  std::vector<std::vector<std::string>> out;
  for (int64_t i = 0; i < product.size(); ++i) out.push_back(product.job(i));
  return out;
}

std::string refusal(const std::vector<std::string>& words) {
  try {
    Product::of(groups(), words);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// What Hydra 1.3.2 answers to the same words.
TEST(Sweeper, TheLastAxisVariesFastest) {
  EXPECT_THAT(jobs({"lr=1,2", "db=mysql,pg", "+z=a"}),
              ElementsAre(ElementsAre("lr=1", "db=mysql", "+z=a"), ElementsAre("lr=1", "db=pg", "+z=a"),
                          ElementsAre("lr=2", "db=mysql", "+z=a"), ElementsAre("lr=2", "db=pg", "+z=a")));
}

TEST(Sweeper, NoWordsAreOneJob) { EXPECT_THAT(jobs({}), ElementsAre(ElementsAre())); }

TEST(Sweeper, ALaterWordTakesThePlaceOfAnEarlierOne) {
  EXPECT_THAT(jobs({"lr=1,2", "b=5", "lr=3,4"}), ElementsAre(ElementsAre("lr=3", "b=5"), ElementsAre("lr=4", "b=5")));
}

TEST(Sweeper, RangesAreExactInDecimals) {
  EXPECT_THAT(jobs({"lr=range(0,1,0.25)"}), ElementsAre(ElementsAre("lr=0.0"), ElementsAre("lr=0.25"),
                                                        ElementsAre("lr=0.5"), ElementsAre("lr=0.75")));
  EXPECT_THAT(jobs({"lr=range(0.1,0.5,0.1)"}),
              ElementsAre(ElementsAre("lr=0.1"), ElementsAre("lr=0.2"), ElementsAre("lr=0.3"), ElementsAre("lr=0.4")));
  EXPECT_THAT(jobs({"lr=range(3,0,-1)"}), ElementsAre(ElementsAre("lr=3"), ElementsAre("lr=2"), ElementsAre("lr=1")));
  EXPECT_THAT(jobs({"lr=range(3,3)"}), ElementsAre());
  EXPECT_THAT(refusal({"lr=range(0,1,0)"}), HasSubstr("not 0"));
}

TEST(Sweeper, GlobsAreOptionsOfTheirGroup) {
  EXPECT_THAT(jobs({"db=glob(*)"}), ElementsAre(ElementsAre("db=mysql"), ElementsAre("db=pg")));
  EXPECT_THAT(jobs({"db=glob(*,exclude=p*)"}), ElementsAre(ElementsAre("db=mysql")));
}

TEST(Sweeper, ValuesKeepTheirForm) {
  EXPECT_THAT(
      jobs({"a={hidden:1},{hidden:2}", "b=true,null", "~c"}),
      ElementsAre(ElementsAre("a={hidden:1}", "b=True", "~c=null"), ElementsAre("a={hidden:1}", "b=null", "~c=null"),
                  ElementsAre("a={hidden:2}", "b=True", "~c=null"), ElementsAre("a={hidden:2}", "b=null", "~c=null")));
}

TEST(Sweeper, IntervalsAndHydraAreRefused) {
  EXPECT_THAT(refusal({"lr=interval(0,1)"}), HasSubstr("does not support sweep type : INTERVAL"));
  EXPECT_THAT(refusal({"hydra.sweep.subdir=a,b"}), HasSubstr("Sweeping over Hydra's configuration is not supported"));
}

TEST(Sweeper, AProductOfAnySizeIsMadeJobByJob) {
  std::vector<std::string> words;
  for (const char* key : {"a", "b", "c"}) words.push_back(std::string(key) + "=range(0,100000)");
  const Product product = Product::of(groups(), words);
  EXPECT_EQ(product.size(), 1'000'000'000'000'000);
  EXPECT_THAT(product.job(product.size() - 1), ElementsAre("a=99999", "b=99999", "c=99999"));
  EXPECT_THAT(product.job(100'000), ElementsAre("a=0", "b=1", "c=0"));
  words.insert(words.end(), {"d=range(0,100000)", "e=range(0,100000)"});
  EXPECT_THAT(refusal(words), HasSubstr("more than 2^63 jobs"));
}

TEST(Sweeper, ParamsOfTheSweeperAreWords) {
  const Node params = parse_yaml("{lr: '1,2', db: null, workload.height: 'range(1,3)', n: 5}", "p.yaml");
  EXPECT_THAT(sweeper_params(params), ElementsAre("lr=1,2", "db=None", "workload.height=range(1,3)", "n=5"));
}

TEST(Sweeper, AnswersAsRecordedOfHydra) {
  const std::string file = std::string(MODELMETER_SOURCE_DIR) + "/../shared/data/hydra_cases/sweep.jsonl";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "skipped: no recorded cases here";
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const auto recorded = nlohmann::json::parse(line);
    std::vector<std::vector<std::string>> expected;
    for (const auto& batch : recorded.at("result")) {
      for (const auto& job : batch) expected.push_back(job.get<std::vector<std::string>>());
    }
    EXPECT_EQ(jobs(recorded.at("overrides").get<std::vector<std::string>>()), expected) << line;
  }
}

}  // namespace
}  // namespace modelmeter::config
