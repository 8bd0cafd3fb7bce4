// Every value of every configuration, of every model's metadata and of every recording's header, set to what nobody
// means: 0, 1, -1, one more, 2^31, 2^63 - 1, another type, one item too few or too many. Each is an Error that the
// request made (exit code 1 or 2), or has an answer: finite, positive, before long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <ctime>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "config/yaml.h"
#include "entries.h"
#include "memory/memory_report.h"
#include "report/builder.h"
#include "report/json.h"
#include "verify/comparison.h"

namespace modelmeter {
namespace {

using config::Kind;
using config::Node;

constexpr double most_seconds = 100;  // of processor time: a guard against what does not end; the largest takes 3

// A size without a bound ends in an exception, and not in all of the machine's memory. Sanitizers need more than that.
class Memory : public testing::Environment {
 public:
  void SetUp() override {
#ifndef MODELMETER_SANITIZED
    constexpr rlim_t most = rlim_t{4} << 30;
    const rlimit limit = {most, most};
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
#endif
  }
};

[[maybe_unused]] const testing::Environment* const memory = testing::AddGlobalTestEnvironment(new Memory);

// The run is an Error of the request, or does what it does, in time.
template <class Run>
void expect_error_or_answer(const std::string& what, const Run& run) {
  const std::clock_t start = std::clock();
  try {
    run();
  } catch (const Error& error) {
    EXPECT_TRUE(error.exit_code() == 1 || error.exit_code() == 2) << what << "\n" << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << "\n" << error.what();
  }
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, most_seconds) << what;
}

void expect_answer(const AnalyticModel& model) {
  const Evaluation run = evaluate(model);
  const Report report = build_report(model, run, "sizes");
  const Figures& f = report.totals;
  EXPECT_GT(f.kernels, 0);
  EXPECT_GT(f.bytes_read + f.bytes_written, 0);
  EXPECT_GE(f.flops_torch, 0);
  EXPECT_GE(f.parameters, 0);
  EXPECT_GE(f.weight_bytes, 0);
  EXPECT_GT(f.peak_live_bytes.value_or(0), 0);
  EXPECT_GT(build_memory_report(model, run).peak().live_bytes(), 0);
}

// --- trees of values -------------------------------------------------------------------------------------------------

using Path = std::vector<std::string>;

Node* at(Node& root, const Path& path) {
  Node* here = &root;
  for (const std::string& key : path) {
    here = here->is(Kind::list) ? &here->items()[std::stoul(key)] : here->find(key);
  }
  return here;
}

void add_paths(const Node& node, const Path& path, std::vector<Path>& out) {
  if (!path.empty()) out.push_back(path);
  Path below = path;
  below.emplace_back();
  if (node.is(Kind::map)) {
    for (const config::Entry& entry : node.entries()) {
      below.back() = entry.key.text;
      add_paths(entry.value, below, out);
    }
  } else if (node.is(Kind::list)) {
    for (size_t i = 0; i < node.items().size(); ++i) {
      below.back() = std::to_string(i);
      add_paths(node.items()[i], below, out);
    }
  }
}

constexpr int64_t most = std::numeric_limits<int64_t>::max();
#ifdef MODELMETER_SANITIZED  // fewer, for its time
constexpr int64_t numbers[] = {1, -1, int64_t{1} << 31, (int64_t{1} << 62) + 128, most};
#else
constexpr int64_t numbers[] = {
    1,    -1,       2, 3, 10'000, int64_t{1} << 31, (int64_t{1} << 31) - 1, int64_t{1} << 32, (int64_t{1} << 62) + 128,
    most, -most - 1};
#endif

std::vector<Node> wrong_values(const Node& value) {
  std::vector<Node> out = {Node::null(), Node::string("x"), Node::list(),
                           Node::map(),  Node::integer(0),  Node::boolean(true)};
  const bool number = value.is(Kind::integer) || value.is(Kind::floating) || value.is(Kind::null);
  if (number) {
    for (const int64_t n : numbers) {
      out.push_back(Node::integer(n));
    }
    out.push_back(Node::floating(0.5));
    out.push_back(Node::floating(-1e308));
    out.push_back(Node::floating(std::numeric_limits<double>::infinity()));
    out.push_back(Node::floating(std::numeric_limits<double>::quiet_NaN()));
  }
  if (value.is(Kind::integer)) {
    out.push_back(Node::integer(value.as_int() + 1));
    out.push_back(Node::integer(value.as_int() - 1));
  }
  if (value.is(Kind::list) && !value.items().empty()) {
    Node longer = value, shorter = value;
    longer.items().push_back(value.items().back());
    shorter.items().pop_back();
    out.push_back(std::move(longer));
    out.push_back(std::move(shorter));
  }
  return out;
}

// Runs `run` on the tree with each of its values wrong, one at a time.
template <class Run>
void for_each_wrong(const std::string& what, const Node& tree, const Run& run) {
  std::vector<Path> paths;
  add_paths(tree, {}, paths);
  for (const Path& path : paths) {
    Node changed = tree;
    const Node original = *at(changed, path);
    for (const Node& wrong : wrong_values(original)) {
      *at(changed, path) = wrong;
      std::string name = what;
      for (const std::string& key : path) name += "/" + key;
      expect_error_or_answer(name + " = " + config::to_yaml(wrong), [&] { run(changed); });
    }
    *at(changed, path) = original;
  }
}

// --- configurations --------------------------------------------------------------------------------------------------

struct Case {
  std::string entry;
  entries::Overrides overrides;
};

std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.entry; }

// One of each way that a model is built.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"wan2_1_t2v_1_3b_pipeline", {"runtime=official"}},
      {"wan2_1_t2v_1_3b_pipeline", {"runtime=diffusers"}},
      {"wan2_1_i2v_14b_480p_pipeline", {"runtime=official"}},
      {"wan2_1_flf2v_14b_pipeline", {"runtime=diffusers"}},
      {"wan2_1_vace_1_3b", {"runtime=official"}},
      {"wan2_1_vace_1_3b_pipeline", {"runtime=diffusers"}},
      {"wan2_2_t2v_a14b_pipeline", {"runtime=official"}},
      {"wan2_2_ti2v_5b_pipeline", {"runtime=official"}},
      {"deepseek_ocr", {"workload.profile_id=dsocr-gundam", "workload.max_new_tokens=5"}},
      {"deepseek_ocr_2", {"workload.max_new_tokens=5"}},
  };
  return all;
}

Node composed(const Case& one) {
  static const config::Repository repository(entries::source + "/configs", {});
  Node out = config::resolve(config::compose(repository, one.entry, one.overrides));
  out.find("workload")->erase("presets");  // the one that is chosen stands beside them
  return out;
}

class Sizes : public testing::TestWithParam<Case> {};

TEST_P(Sizes, OfEveryKeyOfAConfiguration) {
  Node tree = composed(GetParam());
  for_each_wrong(GetParam().entry, tree,
                 [](const Node& changed) { expect_answer(*build_model(config::View(changed), {entries::source})); });
}

TEST_P(Sizes, OfEveryKeyOfTheMetadata) {
  Node tree = composed(GetParam());
  Node* hf = tree.find("hf");
  const std::string file = entries::source + "/" + hf->find("config_path")->as_string();
  hf->erase("config_path");
  for_each_wrong(file, read_data_file(file), [&](const Node& changed) {
    hf->set("config", changed);
    expect_answer(*build_model(config::View(tree), {entries::source}));
  });
}

INSTANTIATE_TEST_SUITE_P(All, Sizes, testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.entry + "_" + std::to_string(one.index); });

// --- recordings ------------------------------------------------------------------------------------------------------

std::vector<std::string> recordings() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(entries::source + "/tests/reference")) {
    if (entry.path().extension() == ".json") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// JSON text of a tree of values.
Json json_of_node(const Node& node) {
  switch (node.kind()) {
    case Kind::boolean: return node.as_bool();
    case Kind::integer: return node.as_int();
    case Kind::floating: return node.as_double();
    case Kind::string: return node.as_string();
    case Kind::list: {
      Json out = Json::array();
      for (const Node& item : node.items()) out.push_back(json_of_node(item));
      return out;
    }
    case Kind::map: {
      Json out = Json::object();
      for (const config::Entry& entry : node.entries()) out[entry.key.text] = json_of_node(entry.value);
      return out;
    }
    default: return nullptr;
  }
}

TEST(SizesOfRecordings, OfEveryKeyOfAHeader) {
  for (const std::string& file : recordings()) {
    const Recording recording = read_recording(read_file(file), file);
    for (std::string Recording::* part : {&Recording::config, &Recording::workload}) {
      for_each_wrong(file, config::parse_data(recording.*part, "header"), [&](const Node& changed) {
        Recording wrong = recording;
        wrong.ops.clear();
        wrong.*part = json_of_node(changed).dump();
        const std::shared_ptr<const Stage> stage = stage_of_recording(wrong);
        EXPECT_GT(evaluate_forward(*stage).rollup().total().kernels, 0);
      });
    }
  }
}

// A small recording as text, each of whose first values of each kind is wrong.
TEST(SizesOfRecordings, OfEveryKindOfValue) {
  const std::string file = entries::source + "/tests/reference/dsocr-ci-tiny/ocr-head.json";
  const Node tree = config::parse_data(read_file(file), file);
  for_each_wrong(file, tree, [&](const Node& changed) {
    const Recording wrong = read_recording(json_of_node(changed).dump(), file);
    const std::shared_ptr<const Stage> stage = stage_of_recording(wrong);
    const Comparison comparison = compare(recording_of(*stage), wrong);
    table_of(comparison, wrong);
  });
}

TEST(SizesOfReports, OfEveryKindOfValue) {
  const std::unique_ptr<AnalyticModel> model = entries::model("wan2_1_t2v_1_3b", {"transformer.num_layers=1"});
  const std::string text = to_json(build_report(*model, "sizes"));
  Node tree = config::parse_data(text, "report.json");
  for (const char* list : {"modules", "module_metrics", "operator_categories", "kernels"}) {
    Node* node = tree.find(list);
    if (node != nullptr && node->is(Kind::list) && node->items().size() > 2) {
      node->items().erase(node->items().begin() + 2, node->items().end());
    }
  }
  for_each_wrong("report", tree, [](const Node& changed) { report_from_json(json_of_node(changed).dump(), "r"); });
}

}  // namespace
}  // namespace modelmeter
