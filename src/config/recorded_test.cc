// Differential tests: what Hydra 1.3.2 and OmegaConf 2.3.0 answered to the inputs of their own test suites. The records
// lie beside the checkout, in $MODELMETER_SHARED or ../shared; without them these tests are skipped.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "config/compose.h"
#include "config/interpolation.h"
#include "config/merge.h"
#include "config/override.h"
#include "config/override_parser.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

fs::path records() {
  const char* shared = std::getenv("MODELMETER_SHARED");
  const fs::path dir = shared ? fs::path(shared) : fs::path(MODELMETER_SOURCE_DIR) / ".." / "shared";
  return dir / "data" / "hydra_cases";
}

std::vector<Json> read_records(const char* name) {
  std::ifstream in(records() / name);
  std::vector<Json> out;
  for (std::string line; std::getline(in, line);) out.push_back(Json::parse(line));
  return out;
}

#define SKIP_WITHOUT_RECORDS() \
  if (!fs::exists(records())) GTEST_SKIP() << "skipped: no recorded Hydra cases in " << records()

// Counts for the summary line that every test prints.
class Score {
 public:
  explicit Score(const char* file) : file_(file) {}
  ~Score() { std::printf("%s: %d of %d as recorded, %d deviate on purpose\n", file_, same_, all_, deviating_); }
  void same(const ::testing::AssertionResult& result, const std::string& input) {
    ++all_;
    if (result) ++same_;
    EXPECT_TRUE(result) << input;
  }
  void deviates() {
    ++all_;
    ++deviating_;
  }

 private:
  const char* file_;
  int all_ = 0, same_ = 0, deviating_ = 0;
};

::testing::AssertionResult same_text(const std::string& ours, const std::string& theirs) {
  if (ours == theirs) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "ours:\n" << ours << "\nrecorded:\n" << theirs << "\n";
}

Node from_json(const Json& json) {
  if (json.is_null()) return Node::null();
  if (json.is_boolean()) return Node::boolean(json.get<bool>());
  if (json.is_number_integer()) return Node::integer(json.get<int64_t>());
  if (json.is_number()) return Node::floating(json.get<double>());
  if (json.is_string()) return Node::string(json.get<std::string>());
  if (json.is_array()) {
    List items;
    for (const Json& item : json) items.push_back(from_json(item));
    return Node::list(std::move(items));
  }
  Node out = Node::map();
  for (const auto& [key, value] : json.items()) out.set(key, from_json(value));
  return out;
}

// The records write a value with its type: {"int": 1}.
Json typed(const Node& node, bool with_quotes) {
  switch (node.kind()) {
    case Kind::null: return {{"null", 1}};
    case Kind::missing:
      return {{"str",
               "??"
               "?"}};
    case Kind::boolean: return {{"bool", node.as_bool()}};
    case Kind::integer: return {{"int", node.as_int()}};
    case Kind::floating: return {{"float", python_repr(node.as_double())}};
    case Kind::string:
      if (with_quotes && node.quote()) {
        return {{"q", node.quote() == '"' ? "double" : "single"}, {"quoted", node.as_string()}};
      }
      return {{"str", node.as_string()}};
    case Kind::list: {
      Json items = Json::array();
      for (const Node& item : node.items()) items.push_back(typed(item, with_quotes));
      return {{"list", items}};
    }
    case Kind::map: break;
  }
  Json pairs = Json::array();
  for (const Entry& entry : node.entries()) {
    Json key;
    switch (entry.key.kind) {
      case KeyKind::string: key = {{"str", entry.key.text}}; break;
      case KeyKind::null: key = {{"null", 1}}; break;
      case KeyKind::boolean: key = {{"bool", entry.key.text == "true"}}; break;
      case KeyKind::integer: key = {{"int", std::stoll(entry.key.text)}}; break;
      case KeyKind::floating: key = {{"float", entry.key.text}}; break;
    }
    pairs.push_back({key, typed(entry.value, with_quotes)});
  }
  return {{"dict", pairs}};
}

Json typed(const OverrideValue& value) {
  if (const Node* node = std::get_if<Node>(&value)) return typed(*node, true);
  const Sweep& sweep = std::get<Sweep>(value);
  if (sweep.kind == SweepKind::glob) {
    return {{"glob", {{"exclude", sweep.exclude}, {"include", sweep.include}}}};
  }
  Json values = Json::array();
  for (const Node& node : sweep.values) values.push_back(typed(node, true));
  Json out;
  if (sweep.kind == SweepKind::choice) {
    out["choice"] = values;
    out["shuffle"] = sweep.shuffle;
    out["simple"] = sweep.simple;
  } else {
    out[sweep.kind == SweepKind::range ? "range" : "interval"] = values;
    if (sweep.kind == SweepKind::range) out["shuffle"] = sweep.shuffle;
  }
  out["tags"] = sweep.tags;
  return out;
}

// Hydra's parser takes the quotes off in choice(), and keeps them elsewhere; here they stay, for writing it again.
void drop_quotes_of_choices(Json& json) {
  if (json.is_object() && json.contains("value")) return drop_quotes_of_choices(json["value"]);
  if (!json.is_object() || !json.contains("choice")) return;
  for (Json& item : json["choice"]) {
    if (item.contains("quoted")) item = {{"str", item["quoted"]}};
  }
}

Json parsed(const std::string& rule, const std::string& input) {
  OverrideParser parser(std::make_shared<Source>(Source{"<command line>", input}));
  if (rule == "override" || rule == "key" || rule == "package" || rule == "packageOrGroup") {
    const Override word = parse_override(rule == "override" ? input : input + "=1");
    if (rule == "package" || rule == "packageOrGroup") return {{"str", word.key}};
    Json out = {{"key", word.key}, {"package", word.package ? Json(*word.package) : Json()}};
    if (rule == "key") return out;
    static const char* const kinds[] = {"CHANGE", "ADD", "FORCE_ADD", "DEL"};
    out["type"] = kinds[static_cast<int>(word.kind)];
    out["value"] = word.value ? typed(*word.value) : Json{{"null", 1}};
    if (!word.value) {
      out["value_type"] = nullptr;
    } else if (const Sweep* sweep = std::get_if<Sweep>(&*word.value)) {
      static const char* const types[] = {"CHOICE_SWEEP", "RANGE_SWEEP", "INTERVAL_SWEEP", "GLOB_CHOICE_SWEEP"};
      out["value_type"] = sweep->simple ? "SIMPLE_CHOICE_SWEEP" : types[static_cast<int>(sweep->kind)];
    } else {
      out["value_type"] = "ELEMENT";
    }
    return out;
  }
  Json out;
  if (rule == "value" || rule == "simpleChoiceSweep") {
    out = typed(parser.value());
  } else if (rule == "primitive") {
    out = typed(parser.primitive(), true);
  } else if (rule == "listContainer") {
    out = typed(parser.list(), true);
  } else if (rule == "dictContainer") {
    out = typed(parser.dict(), true);
  } else {
    out = typed(parser.element_or_sweep());
  }
  if (rule != "function") parser.expect_end();  // the rule may stand inside others
  return out;
}

TEST(Recorded, Parse) {
  SKIP_WITHOUT_RECORDS();
  Score score("parse.jsonl");
  for (const Json& record : read_records("parse.jsonl")) {
    const std::string input = record["input"];
    const std::string rule = record["rule"];
    Json ours, theirs = record.contains("result") ? record["result"] : Json("error");
    try {
      ours = parsed(rule, input);
    } catch (const Error& error) {
      ours = "error";
    }
    drop_quotes_of_choices(ours);
    drop_quotes_of_choices(theirs);
    const bool random = input.find("shuffle([") != std::string::npos || input.find("shuffle(list") != std::string::npos;
    // Orders of keys in the records are not those of the text.
    const bool same = nlohmann::json::parse(ours.dump()) == nlohmann::json::parse(theirs.dump());
    score.same(random && ours != "error" ? ::testing::AssertionSuccess()
               : same                    ? ::testing::AssertionSuccess()
                                         : ::testing::AssertionFailure() << ours.dump() << "\n"
                                                      << theirs.dump() << "\n",
               rule + ": " + input);
  }
}

TEST(Recorded, InterpolationGrammar) {
  SKIP_WITHOUT_RECORDS();
  Score score("omegaconf_grammar.jsonl");
  std::vector<Json> all = read_records("omegaconf_grammar.jsonl");
  const Node root = from_json(all[0]["base_config"]);
  all.erase(all.begin());
  Resolvers resolvers = Resolvers::standard();
  for (const char* name : {"test", "ns1.ns2.test"}) {
    resolvers.add(name, [](const std::vector<Node>& args, const ResolverScope&) {
      return args.size() == 1 ? args[0] : Node::list(args);
    });
  }
  for (const Json& record : all) {
    const std::string input = record["input"];
    Json ours;
    try {
      if (record["rule"] == "configValue") {
        Node with_input = root;
        with_input.set("input", Node::string(input));
        ours = typed(select(with_input, "input", resolvers).value(), false);
      } else {
        ours = typed(parse_element(input, root, resolvers), false);
      }
    } catch (const Error& error) {
      ours = "error";
    }
    const Json theirs = record.contains("result") ? record["result"] : Json("error");
    const bool same = nlohmann::json::parse(ours.dump()) == nlohmann::json::parse(theirs.dump());
    score.same(same ? ::testing::AssertionSuccess()
                    : ::testing::AssertionFailure() << ours.dump() << "\n"
                                                    << theirs.dump() << "\n",
               input);
  }
}

// A value of the records of operations: a tree, or the text of a YAML scalar.
Node recorded_value(const Json& json) {
  if (json.contains("yaml")) return Node::string(json["yaml"].get<std::string>());
  return from_json(json["value"]);
}

bool flag(const Json& json, const char* name) {
  return json.contains("flags") && json["flags"].contains(name) && json["flags"][name].get<bool>();
}

Resolvers with_test_resolvers() {
  Resolvers out = Resolvers::standard();
  out.add("make", [](const std::vector<Node>&, const ResolverScope&) {
    Node map = Node::map();
    map.set("a", Node::integer(0));
    return map;
  });
  out.add("func", [](const std::vector<Node>& args, const ResolverScope&) {
    return Node::literal("_" + python_str(args.at(0)) + "_");
  });
  out.add("foo", [](const std::vector<Node>& args, const ResolverScope&) { return args.at(0); });
  return out;
}

// The records lost the order of the input's keys; the printed text has it.
void order_like(Node& node, const Node& printed) {
  if (!node.is(Kind::map) || !printed.is(Kind::map)) return;
  Node out = Node::map();
  for (const std::string& key : printed.keys()) {
    if (const Node* value = node.find(key)) out.set(key, *value);
  }
  node = out;
}

Node perform(const Json& record, const Resolvers& resolvers) {
  const std::string kind = record["kind"];
  const Json options = record.value("kw", Json::object());
  if (kind == "merge") {
    Node out = from_json(record["inputs"][0]["value"]);
    for (size_t i = 1; i < record["inputs"].size(); ++i) {
      merge(out, from_json(record["inputs"][i]["value"]), resolvers, flag(record["inputs"][0], "struct"));
    }
    return out;
  }
  Node root = from_json(record["input"]["value"]);
  if (kind == "update") {
    UpdateOptions how;
    how.merge = options.value("merge", true);
    how.force_add = options.value("force_add", false);
    how.struct_mode = flag(record["input"], "struct");
    update(root, record["key"].get<std::string>(), recorded_value(record["value"]), resolvers, how);
    return root;
  }
  const bool quiet = options.contains("throw_on_resolution_failure") && !options["throw_on_resolution_failure"];
  std::optional<Node> found;
  try {
    found = select(root, record["key"].get<std::string>(), resolvers);
  } catch (const Error&) {
    if (!quiet) throw;
  }
  if (found && found->is(Kind::missing)) {
    if (options.value("throw_on_missing", false)) throw Error("Missing mandatory value");
    found.reset();
  }
  if (found) return *std::move(found);
  return options.contains("default") ? from_json(options["default"]) : Node::null();
}

// Why a record of operations does not apply here; nullptr if it does.
const char* operation_deviation(const Json& record) {
  const std::string text = record.dump();
  if (record.contains("error")) {
    const std::string message = record["error"]["msg"];
    if (message.find("subclass of Plugin") != std::string::npos) return "structured configs are Python classes";
    if (message.find("is not Optional") != std::string::npos) return "typed nodes are Python's";
    if (message.find("read-only") != std::string::npos) return "there is no read-only flag";
  }
  if (record["kind"] == "select" && record["key"] == "..") return "a node does not know its parent";
  return nullptr;
}

TEST(Recorded, Operations) {
  SKIP_WITHOUT_RECORDS();
  Score score("omegaconf_ops.jsonl");
  const Resolvers resolvers = with_test_resolvers();
  for (const Json& record : read_records("omegaconf_ops.jsonl")) {
    if (operation_deviation(record)) {
      score.deviates();
      continue;
    }
    if (record["kind"] == "to_yaml") {
      Node node = from_json(record["input"]["value"]);
      order_like(node, parse_yaml(record["result"].get<std::string>(), "recorded"));
      if (record["kw"].value("resolve", false)) node = resolve(node);
      score.same(same_text(to_yaml(node), record["result"]), record.dump());
      continue;
    }
    bool same = false;
    std::string ours;
    try {
      const Node result = perform(record, resolvers);
      ours = to_yaml(result);
      same = record.contains("result") && equal(result, recorded_value(record["result"]));
    } catch (const Error& error) {
      ours = error.what();
      same = record.contains("error");
    }
    score.same(same ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "ours: " << ours << "\n",
               record.dump());
  }
}

class ComposeRecord {
 public:
  explicit ComposeRecord(const Json& record) : record_(record) {}

  std::string name() const {
    return record_["fixture"].get<std::string>() + " " + record_["config_name"].dump() + " " +
           record_["overrides"].dump();
  }

  // Why the record does not apply here; nullptr if it does.
  const char* deviation() const {
    static const std::map<std::string, const char*> by_config = {
        {"include_nested_config_item_name_", "_name_ in a package is refused by name"},
        {"include_nested_group_name_", "_name_ in a package is refused by name"},
        {"deprecated_headers/group", "_group_ in a header is refused by name"},
        {"deprecated_headers/group_foo", "_group_ in a header is refused by name"},
    };
    const auto found = by_config.find(record_["config_name"].is_null() ? "" : record_["config_name"]);
    if (found != by_config.end()) return found->second;
    for (const Json& word : record_["overrides"]) {
      const std::string text = word;
      if (text.find("=file_with_group_header") != std::string::npos) return "_group_ in a header is refused by name";
    }
    return nullptr;
  }

  ::testing::AssertionResult run() const {
    Composition ours;
    ComposeOptions options;
    options.job_name = "app";
    options.multirun = record_["mode"] == "MULTIRUN";
    try {
      ours = compose(repository(), record_["config_name"].is_null() ? "" : record_["config_name"].get<std::string>(),
                     record_["overrides"].get<std::vector<std::string>>(), options);
    } catch (const Error& error) {
      if (!record_.contains("error")) return ::testing::AssertionFailure() << error.what() << "\n";
      return same_error(error);
    }
    if (record_.contains("error")) {
      return ::testing::AssertionFailure() << "composed, but Hydra says: " << record_["error"]["msg"] << "\n";
    }
    if (auto result = same_text(to_yaml(ours.config), record_["job"]); !result) return result;
    if (!record_["resolved"].is_null()) {
      if (auto result = same_text(to_yaml(resolve(ours)), record_["resolved"]); !result) return result;
    }
    if (auto result = same_text(defaults(ours).dump(), record_["defaults"].dump()); !result) return result;
    if (auto result = same_text(choices(ours).dump(), record_["choices"].dump()); !result) return result;
    return same_text(tree(ours), lines(record_["tree"]));
  }

 private:
  Repository repository() const {
    const fs::path dir = records() / "fixtures" / record_["fixture"].get<std::string>();
    if (fs::exists(dir)) return Repository(dir.string());
    // git does not keep an empty folder.
    return Repository(std::make_shared<MemoryFileSystem>(std::map<std::string, std::string>{{"empty/none.txt", ""}}),
                      "empty");
  }

  // The first line of Hydra's message must be ours, or begin it.
  ::testing::AssertionResult same_error(const Error& error) const {
    std::string theirs = record_["error"]["msg"];
    theirs = theirs.substr(theirs.find_first_not_of('\n'));
    theirs = theirs.substr(0, theirs.find('\n'));
    if (theirs.find(" To override a value use") != std::string::npos) {
      theirs = theirs.substr(0, theirs.find(" To override a value use"));
    }
    if (theirs.find(". No match") != std::string::npos) theirs = theirs.substr(0, theirs.find(". No match"));
    if (error.message().compare(0, theirs.size(), theirs) == 0) return ::testing::AssertionSuccess();
    return same_text(error.message(), theirs);
  }

  static bool is_hydra(const std::string& path) { return path.compare(0, 6, "hydra/") == 0; }

  static Json defaults(const Composition& ours) {
    Json out = Json::array();
    for (const DefaultsEntry& entry : ours.defaults) {
      if (is_hydra(entry.config_path)) continue;
      out.push_back({entry.config_path, entry.package, entry.is_self, entry.parent});
    }
    return out;
  }

  static Json choices(const Composition& ours) {
    std::map<std::string, Json> sorted;
    for (const auto& [group, option] : ours.choices) {
      if (is_hydra(group)) continue;
      sorted[group] = option == "null" ? Json() : Json(option);
    }
    Json out = Json::object();
    for (const auto& [group, option] : sorted) out[group] = option;
    return out;
  }

  static std::string tree(const Composition& ours) {
    std::string out;
    for (const std::string& line : ours.trees.back().lines(1)) out += line + "\n";
    return out;
  }

  static std::string lines(const Json& json) {
    std::string out;
    for (const Json& line : json) out += line.get<std::string>() + "\n";
    return out;
  }

  const Json& record_;
};

TEST(Recorded, Compose) {
  SKIP_WITHOUT_RECORDS();
  Score score("compose.jsonl");
  for (const Json& json : read_records("compose.jsonl")) {
    const ComposeRecord record(json);
    if (record.deviation()) {
      score.deviates();
      continue;
    }
    score.same(record.run(), record.name());
  }
}

}  // namespace
}  // namespace modelmeter::config
