// Cases of our own with the answers of Hydra 1.3.2 and OmegaConf 2.3.0, in recorded/cases.jsonl: tools/hydra_cases
// records them. What deviates on purpose is named here, with the reason.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "config/compose.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using Json = nlohmann::ordered_json;
using Answer = std::optional<std::string>;  // nothing: an error

// A case, as deviations() names it.
std::string name_of(const Json& one) {
  return one["kind"] == "compose" ? one["files"].dump().substr(0, 60) + " " + one["overrides"].dump()
                                  : one["text"].get<std::string>();
}

// Our answers that are others, and why.
const std::map<std::string, const char*>& deviations() {
  static const char* const missing = "an interpolation to ??? stays ???, so that the rest can be shown";
  static const char* const null_deleted = "what is null can be deleted, as its message says";
  static const char* const lists = "items of lists can be deleted";
  static const char* const no_group = "what looks like a group and is none is refused";
  static const std::map<std::string, const char*> all = {
      {"a: <<\n", "a text, where PyYAML fails to make an object"},
      {R"(a: "\ud83d\ude00")"
       "\n",
       "surrogates are no characters to libyaml"},
      {"a: ??"
       "?\nb: ${a}\n",
       missing},
      {R"({"config.yaml":"defaults:\n  - g: sub/x\n","g/sub/x.yaml":"v [])", "group/sub: option, as Hydra 1.4 has it"},
      {"\"app\" [\"~a.d\"]", null_deleted},
      {"\"app\" [\"~a.d=null\"]", null_deleted},
      {"\"app\" [\"~l.0\"]", lists},
      {"\"app\" [\"~l.1\"]", lists},
      {"\"app\" [\"+a/b=1\"]", no_group},
      {"\"app\" [\"++a/b=1\"]", no_group},
  };
  return all;
}

template <class Run>
Answer answer_of(const Run& run) {
  try {
    return run();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1) << error.what();
    return std::nullopt;
  }
}

Answer recorded(const Json& value) { return value.is_null() ? Answer() : value.get<std::string>(); }

Composition composed(const Json& one, const Json& app) {
  std::map<std::string, std::string> files;
  const Json& given = one["files"] == "app" ? app : one["files"];
  for (const auto& [path, text] : given.items()) files["conf/" + path] = text;
  return compose(Repository(std::make_shared<MemoryFileSystem>(files), "conf"), "config",
                 one["overrides"].get<std::vector<std::string>>());
}

std::string shown(const Answer& answer) { return answer ? *answer : "an error"; }

TEST(RecordedCases, AreAnsweredAsHydraDoes) {
  ::setenv("RECORD_ME", "[1, x]", 1);
  ::unsetenv("NOT_SET_HERE");
  std::ifstream in(MODELMETER_SOURCE_DIR "/src/config/recorded/cases.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  const Json app = Json::parse(line)["app"];
  size_t cases = 0;
  std::set<std::string> deviating;
  while (std::getline(in, line)) {
    const Json one = Json::parse(line);
    const std::string kind = one["kind"], name = name_of(one);
    ++cases;
    Answer ours, resolved;
    if (kind == "compose") {
      std::optional<Composition> run;
      ours = answer_of([&] {
        run = composed(one, app);
        return to_yaml(run->config);
      });
      if (run) resolved = answer_of([&] { return to_yaml(resolve(*run)); });
    } else {
      ours = answer_of([&] {
        const Node node = parse_yaml(one["text"], "case");
        return to_yaml(kind == "resolve" ? resolve(node) : node);
      });
    }
    const bool same = ours == recorded(one["answer"]) && (kind != "compose" || resolved == recorded(one["resolved"]));
    if (deviations().count(name) != 0) {
      deviating.insert(name);
      EXPECT_FALSE(same) << name << " does not deviate";
      continue;
    }
    EXPECT_TRUE(same) << name << "\nours:\n"
                      << shown(ours) << "\nrecorded:\n"
                      << shown(recorded(one["answer"]))
                      << (kind == "compose" ? "\nresolved, ours:\n" + shown(resolved) + "\nrecorded:\n" +
                                                  shown(recorded(one["resolved"]))
                                            : "");
  }
  EXPECT_GT(cases, 600u);
  EXPECT_EQ(deviating.size(), deviations().size());
}

}  // namespace
}  // namespace modelmeter::config
