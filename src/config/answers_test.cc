// Questions of our own and what Hydra 1.3.2 and OmegaConf 2.3.0 answer, in recorded/*.txt: small applications composed,
// words of the command line parsed, trees merged, selected from and changed. tools/hydra_cases/answer.py writes the
// answers; what deviates on purpose is named here, with the reason.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/compose.h"
#include "config/merge.h"
#include "config/override.h"
#include "config/recorded_answers.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

std::string lists_of(const Composition& run) {
  std::map<std::string, std::string> choices;
  for (const auto& [group, option] : run.choices) {
    if (group.rfind("hydra/", 0) != 0) choices[group] = option;
  }
  std::string out = "choices:";
  for (const auto& [group, option] : choices) out += fmt::format(" {}={}", group, option);
  out += "\ndefaults:";
  for (const DefaultsEntry& entry : run.defaults) {
    if (entry.config_path.rfind("hydra/", 0) == 0) continue;
    out += fmt::format(" {}@{}{}", entry.config_path, entry.package, entry.is_self ? "*" : "");
  }
  return out + "\n";
}

std::string text_of(const Node& value) {
  Node out = Node::map();
  out.set("value", value);
  return to_yaml(out);
}

// The top-level keys in their order, and the YAML of those whose value is another than in the base.
std::string other_than(const Node& config, const std::optional<Node>& base) {
  std::string out = "keys:";
  Node others = Node::map();
  for (const Entry& entry : config.entries()) {
    out += " " + entry.key.text;
    const Entry* there = base ? base->find_entry(entry.key) : nullptr;
    if (!there || text_of(there->value) != text_of(entry.value)) others.set(entry.key, entry.value);
  }
  return out + "\n" + (others.entries().empty() ? "" : indented(to_yaml(others)));
}

struct Bases {
  std::optional<Node> plain, resolved;
};

Bases without_words(const Repository& repository, const std::string& name, const ComposeOptions& options) {
  Bases out;
  try {
    const Composition run = compose(repository, name, {}, options);
    out.plain = run.config;
    out.resolved = resolve(run);
  } catch (const Error&) {
    return out;
  }
  return out;
}

const Reasons& compose_deviations() {
  static const char* const unknown = "a key that the hydra node does not have is an error, not null";
  static const Reasons all = {
      {"several options of one group: ~parts", "a group of several options can be deleted"},
      {"values added, changed and deleted: +a/b=1", "what looks like a group and is none is refused"},
      {"what the hydra node says of the run: +x=${hydra:job.nope}", unknown},
      {"what the hydra node says of the run: +x=${hydra:nope.x} | name=x", unknown},
      {"what the hydra node says of the run: --config-name=numbered | hydra.job.num=3",
       "the hydra node is not typed: a number stays a number"},
  };
  return all;
}

TEST(RecordedAnswers, Compositions) {
  Answers answers(compose_deviations());
  ComposeOptions options;
  options.job_name = "app";
  const std::vector<Question> questions = read_questions("compose.txt");
  EXPECT_GE(questions.size(), at_least(380));
  for (const Question& question : questions) {
    const auto [repository, name, words] = Asked(question);
    const auto [composed, resolved] = split_resolved(question.answer);
    std::string ours;
    bool same = false;
    try {
      const Composition run = compose(repository, name, words, options);
      const Bases bases = words.empty() ? Bases() : without_words(repository, name, options);
      const std::string plain = other_than(run.config, bases.plain);
      ours = lists_of(run) + plain;
      same = ours == composed;
      try {
        const std::string text = other_than(resolve(run), bases.resolved);
        if (text != plain) ours += "resolved " + text;
        same = same && ours == question.answer;
      } catch (const Error& error) {
        ours += "resolved error: " + error.message() + "\n";
        same = same && resolved.rfind("resolved error", 0) == 0 && says(error, resolved);
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1) << question.title();
      ours = "error: " + error.message() + "\n";
      same = composed.rfind("error", 0) == 0 && says(error, composed);
    }
    answers.compare(question.title(), ours, question.answer, same);
  }
}

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(-1, ' ', false); }

std::string shown(const Node& node, bool with_quotes) {
  switch (node.kind()) {
    case Kind::missing: return "\"??\?\"";
    case Kind::null: return "null";
    case Kind::boolean: return node.as_bool() ? "true" : "false";
    case Kind::string: {
      const char quote = with_quotes ? node.quote() : '\0';
      return (quote == '\'' ? "q" : quote == '"' ? "Q" : "") + quoted(node.as_string());
    }
    case Kind::list: {
      std::string out;
      for (const Node& item : node.items()) out += (out.empty() ? "" : ", ") + shown(item, with_quotes);
      return "[" + out + "]";
    }
    case Kind::map: {
      std::string out;
      for (const Entry& entry : node.entries()) {
        const std::string key = entry.key.kind == KeyKind::string ? quoted(entry.key.text) : entry.key.text;
        out += (out.empty() ? "" : ", ") + key + ": " + shown(entry.value, with_quotes);
      }
      return "{" + out + "}";
    }
    case Kind::integer:
    case Kind::floating: break;
  }
  return python_str(node);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += " " + text;
  return out;
}

std::string shown(const Sweep& sweep) {
  std::string out;
  switch (sweep.kind) {
    case SweepKind::choice:
      // Hydra takes the quotes off in choice(a,b) and sort(a,b), and keeps them in a,b.
      for (const Node& value : sweep.values) out += (out.empty() ? " " : " | ") + shown(value, !sweep.bare);
      out = (sweep.simple ? "sweep" : "choice") + out;
      break;
    case SweepKind::range:
    case SweepKind::interval:
      out = sweep.kind == SweepKind::range ? "range" : "interval";
      for (const Node& value : sweep.values) out += " " + shown(value, true);
      break;
    case SweepKind::glob: out = "glob" + joined(sweep.include) + " but" + joined(sweep.exclude); break;
  }
  return out + (sweep.shuffle ? " shuffled" : "") + (sweep.tags.empty() ? "" : " tagged" + joined(sweep.tags));
}

std::string shown(const Override& word) {
  static const char* const verbs[] = {"change", "add", "force", "remove"};
  const std::string out = fmt::format("{} {}", verbs[static_cast<int>(word.kind)], word.key_element());
  if (!word.value) return out;
  const Sweep* sweep = std::get_if<Sweep>(&*word.value);
  return out + " " + (sweep ? shown(*sweep) : shown(std::get<Node>(*word.value), true));
}

const Reasons& override_deviations() {
  static const char* const nested = "a sweep in a sweep, a list or a dict is refused where it is written";
  static const char* const truth = "null is no truth value, and a truth value is no number";
  static const Reasons all = {
      {"a=1,choice(2,3)", nested},
      {"a=choice(2,3),1", nested},
      {"a=range(1,2),3", nested},
      {"a=choice(choice(1,2),3)", nested},
      {"a=[choice(1,2)]", nested},
      {"a={x:choice(1,2)}", nested},
      {"a=range(stop=3)", "range(stop=3) is range(3)"},
      {"a=range(true)", truth},
      {"a=bool(null)", truth},
      {"a=shuffle()", "nothing cannot be shuffled"},
      {"a=float(tag(t,choice(1,2)))", "a cast keeps the tags"},
  };
  return all;
}

TEST(RecordedAnswers, WordsOfTheCommandLine) {
  Answers answers(override_deviations());
  std::ifstream in = open_answers("overrides.txt");
  size_t words = 0;
  for (std::string line; std::getline(in, line);) {
    const size_t arrow = line.find(" => ");
    if (line.empty() || line[0] == '#') continue;
    ASSERT_NE(arrow, std::string::npos) << line;
    const std::string word = line.substr(0, arrow), theirs = line.substr(arrow + 4);
    ++words;
    std::string ours = "error";
    try {
      const Override parsed = parse_override(word);
      EXPECT_EQ(parsed.text, word);
      ours = shown(parsed);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1) << word;
      EXPECT_EQ(error.span().text, word) << error.what();
    }
    answers.compare(word, ours + "\n", theirs + "\n", ours == theirs);
  }
  EXPECT_GE(words, at_least(580));
}

// A value written as a word of an override again is read back as the same.
TEST(RecordedAnswers, ValuesAreWrittenAsTheyAreRead) {
  std::ifstream in = open_answers("overrides.txt");
  size_t values = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("a=", 0) != 0 || line.rfind(" => error") != std::string::npos) continue;
    const std::string text = line.substr(0, line.find(" => "));
    // A text that looks like a number is one again, as in Hydra.
    if (override_deviations().count(text) != 0 || text.find("str(") != std::string::npos) continue;
    const Override word = parse_override(text);
    if (word.is_sweep()) continue;
    const Override again = parse_override("a=" + to_override(word.node()));
    ++values;
    if (word.node().is(Kind::string) && word.node().as_string().empty() && !word.node().quote()) continue;
    EXPECT_EQ(shown(again), shown(word)) << line << "\nwritten: " << to_override(word.node());
  }
  EXPECT_GE(values, at_least(200));
}

Node from_json(const nlohmann::ordered_json& json) {
  if (json.is_null()) return Node::null();
  if (json.is_boolean()) return Node::boolean(json.get<bool>());
  if (json.is_number_integer()) return Node::integer(json.get<int64_t>());
  if (json.is_number()) return Node::floating(json.get<double>());
  if (json.is_string()) return Node::string(json.get<std::string>());
  Node out = json.is_array() ? Node::list({}) : Node::map();
  for (const auto& [key, value] : json.items()) {
    if (json.is_array()) {
      out.items().push_back(from_json(value));
    } else {
      out.set(key, from_json(value));
    }
  }
  return out;
}

TEST(RecordedAnswers, ValuesArePrintedAsYaml) {
  std::ifstream in = open_answers("printed.txt");
  size_t values = 0;
  for (std::string line; std::getline(in, line);) {
    const size_t arrow = line.rfind(" => ");
    if (line.empty() || line[0] == '#') continue;
    ASSERT_NE(arrow, std::string::npos) << line;
    ++values;
    Node node = Node::map();
    node.set("k", from_json(nlohmann::ordered_json::parse(line.substr(0, arrow))));
    const std::string wanted = nlohmann::json::parse(line.substr(arrow + 4)).get<std::string>();
    EXPECT_EQ(to_yaml(node), wanted) << line.substr(0, arrow);
    // NEL is a line break to YAML, read back as another one.
    if (line.find("\\u0085") != std::string::npos) continue;
    EXPECT_TRUE(equal(parse_yaml(wanted, "case"), node)) << line.substr(0, arrow);
  }
  EXPECT_GE(values, at_least(400));
}

const Reasons& tree_deviations() {
  static const Reasons all = {
      {"keys built of interpolations: select i", "an integer may count an item"},
      {"keys and values of a map: resolve", "values are values whatever kind their keys are of"},
  };
  return all;
}

Node answer_tree(const Question& question) {
  const Resolvers resolvers = Resolvers::standard();
  std::vector<Node> nodes;
  for (const auto& [path, text] : question.parts) nodes.push_back(parse_yaml(text, "case"));
  std::istringstream words(question.text);
  std::string command, key, value;
  words >> command >> key >> std::ws;
  std::getline(words, value);
  if (command == "merge") {
    for (size_t i = 1; i < nodes.size(); ++i) merge(nodes[0], nodes[i], resolvers, key == "strict");
    return nodes[0];
  }
  if (command == "resolve") return resolve(nodes[0]);
  if (command == "select") {
    const std::optional<Node> found = select_as_is(nodes[0], key, resolvers);
    Node out = Node::map();
    out.set("found", found && !found->is(Kind::missing) ? *found : Node::null());
    return out;
  }
  UpdateOptions how;
  how.merge = true;
  how.struct_mode = true;
  how.force_add = command == "add";
  update(nodes[0], key, std::get<Node>(parse_override_value(value)), resolvers, how);
  return nodes[0];
}

TEST(RecordedAnswers, Trees) {
  Answers answers(tree_deviations());
  const std::vector<Question> questions = read_questions("trees.txt");
  EXPECT_GE(questions.size(), at_least(220));
  for (const Question& question : questions) {
    std::string ours;
    bool same = false;
    try {
      ours = indented(to_yaml(answer_tree(question)));
      same = ours == question.answer;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1) << question.title();
      ours = "error: " + error.message() + "\n";
      same = question.answer.rfind("error", 0) == 0 && says(error, question.answer);
    }
    answers.compare(question.title(), ours, question.answer, same);
  }
}

}  // namespace
}  // namespace modelmeter::config
