#include "config/completion.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace modelmeter::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

std::vector<std::string> completed(const std::string& word, const std::vector<std::string>& words = {}) {
  static const Repository repository(
      std::make_shared<MemoryFileSystem>(std::map<std::string, std::string>{
          {"conf/config.yaml",
           "defaults:\n- db: my\n- _self_\ndepth: 1\nflag: true\nl: [{x: 1}, 2]\nm: ??\?\nz: null\n"},
          {"conf/db/my.yaml", "port: 1\nname: a\n"},
          {"conf/db/pg.yaml", "port: 2\n"},
          {"conf/net/tcp/fast.yaml", "x: 1\n"}}),
      "conf");
  return complete(repository, "config", words, word, {});
}

TEST(Completion, OfGroupsKeysAndValues) {
  EXPECT_THAT(completed("d"), ElementsAre("db.", "db=", "depth="));
  EXPECT_THAT(completed("db="), ElementsAre("db=my", "db=pg"));
  EXPECT_THAT(completed("db=x"), IsEmpty());
  EXPECT_THAT(completed("db."), ElementsAre("db.name=", "db.port="));
  EXPECT_THAT(completed("db.", {"db=pg"}), ElementsAre("db.port="));
  EXPECT_THAT(completed("db.p"), ElementsAre("db.port="));
  EXPECT_THAT(completed("db.port=", {"db=pg"}), ElementsAre("db.port=2"));
  EXPECT_THAT(completed("flag="), ElementsAre("flag=true"));
  EXPECT_THAT(completed("l."), ElementsAre("l.0.", "l.1="));
  EXPECT_THAT(completed("m="), ElementsAre("m="));
  EXPECT_THAT(completed("z="), IsEmpty());
  EXPECT_THAT(completed("ne"), ElementsAre("net/"));
  EXPECT_THAT(completed("net/"), ElementsAre("net/tcp="));
  EXPECT_THAT(completed("+net/tcp="), ElementsAre("+net/tcp=fast"));
  EXPECT_THAT(completed("~db"), ElementsAre("~db"));
  EXPECT_THAT(completed(""), Contains("hydra."));
}

TEST(Completion, WhatDoesNotComposeHasGroupsOnly) {
  EXPECT_THAT(completed("d", {"nope=1"}), ElementsAre("db="));
  EXPECT_THAT(completed("d", {"a=["}), ElementsAre("db="));
}

fs::path records() {
  const char* shared = std::getenv("MODELMETER_SHARED");
  const fs::path dir = shared ? fs::path(shared) : fs::path(MODELMETER_SOURCE_DIR) / ".." / "shared";
  return dir / "data" / "hydra_cases";
}

// The overrides of a line, and the one that is completed.
struct Line {
  std::vector<std::string> words;
  std::string word;
  bool multirun = false;

  explicit Line(const std::string& line) {
    std::istringstream in(line);
    for (std::string next; in >> next;) {
      if (next == "--multirun" || next == "-m") {
        multirun = true;
      } else if (next == "-c" || next == "--cfg") {
        in >> next;
      } else {
        words.push_back(next);
      }
    }
    if (words.empty() || line.back() == ' ') return;
    word = words.back();
    words.pop_back();
  }
};

TEST(Completion, AsRecordedOfHydra) {
  if (!fs::exists(records())) GTEST_SKIP() << "skipped: no recorded Hydra cases in " << records();
  std::ifstream in(records() / "completion.jsonl");
  int asked = 0;
  for (std::string text; std::getline(in, text);) {
    const auto record = nlohmann::json::parse(text);
    const Line line(record.at("line"));
    std::string search = record.at("search").at(0);
    for (size_t at = search.find('/'); at != std::string::npos; at = search.find('/')) search.replace(at, 1, "__");
    const fs::path folder = records() / "fixtures" / search;
    const std::string name = record.at("config_name").is_null() ? "" : record.at("config_name").get<std::string>();
    // Files of the folder that it was recorded in; a Python package on the search path.
    if (line.word.find("=./") != std::string::npos || name == "additional_searchpath") continue;
    ComposeOptions options;
    options.multirun = line.multirun;
    ++asked;
    EXPECT_EQ(complete(Repository(folder.string()), name, line.words, line.word, options),
              record.at("result").get<std::vector<std::string>>())
        << text;
  }
  EXPECT_GT(asked, 50);
}

TEST(Completion, OfFiles) {
  const fs::path folder = fs::temp_directory_path() / ("modelmeter_completion_" + std::to_string(::getpid()));
  fs::create_directories(folder / "sub");
  std::ofstream(folder / "foo1.txt") << "";
  std::ofstream(folder / "foo2.txt") << "";
  const std::string at = folder.string();
  EXPECT_THAT(complete_files(at + "/foo"), ElementsAre(at + "/foo1.txt", at + "/foo2.txt"));
  EXPECT_THAT(completed("abc=" + at + "/s"), ElementsAre("abc=" + at + "/sub"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace modelmeter::config
