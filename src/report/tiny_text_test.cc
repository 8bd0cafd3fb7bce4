// What people read of a model that was worked out by hand (testing/tiny_model.h): summary, tree of layers, rankings,
// pages of layers, layer classes. The figures are those of tiny_report_test.cc; here is how they are written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "report/builder.h"
#include "report/layer_docs.h"
#include "report/layer_tree.h"
#include "report/operator_list.h"
#include "report/summary.h"
#include "report/top.h"
#include "testing/tiny_model.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const testing_models::TinyModel& model() {
  static const testing_models::TinyModel tiny;
  return tiny;
}
const Evaluation& run() {
  static const Evaluation evaluation = evaluate(model());
  return evaluation;
}
const Report& report() {
  static const Report tiny = build_report(model(), run(), "tiny");
  return tiny;
}

TEST(TinySummary, IsThisText) {
  EXPECT_EQ(summary_markdown(report()), R"(# tiny

- report: tiny
- model: model_id test/tiny, layers 3
- workload: tokens 3, scale 0.5
- runtime: dtype float32, cfg false
- total FLOPs: 6.024 kFLOP (torch), 8.250 kFLOP (full)

## Totals

|                      |   whole run | each model once | exact, whole run |
| -------------------- | ----------: | --------------: | ---------------: |
| FLOPs (torch)        | 6.024 kFLOP |     1.224 kFLOP |            6,024 |
| FLOPs (full)         | 8.250 kFLOP |     1.674 kFLOP |            8,250 |
| - tensor             | 6.024 kFLOP |     1.224 kFLOP |            6,024 |
| - vector             | 2.226 kFLOP |     0.450 kFLOP |            2,226 |
| Bytes moved          |   15.072 kB |        3.072 kB |           15,072 |
| Bytes read           |   10.368 kB |        2.112 kB |           10,368 |
| Bytes written        |    4.704 kB |        0.960 kB |            4,704 |
| Kernels              |          71 |              15 |               71 |
| Parameters           |         246 |             246 |              246 |
| Weights              |   0.961 KiB |       0.961 KiB |              984 |
| Activation peak      |   0.234 KiB |       0.234 KiB |              240 |
| KV cache             |       0 KiB |           0 KiB |                0 |
| Peak live memory     |   1.242 KiB |       1.242 KiB |            1,272 |
| Arithmetic intensity |  0.5 FLOP/B |      0.5 FLOP/B |                  |

## Stages

| Stage     | kFLOP (torch) | kFLOP (full) | kB moved | Kernels | Weights, B | Activation peak, B |
| --------- | ------------: | -----------: | -------: | ------: | ---------: | -----------------: |
| diffusion |         6.000 |        8.220 |   15.000 |      70 |        960 |                240 |
| vae       |       0.02400 |      0.03000 |  0.07200 |       1 |         24 |                 24 |

## Top 10 layers by FLOPs (torch)

| Layer                       | kFLOP (torch) |  Share | kB moved |  Share | Calls |
| --------------------------- | ------------: | -----: | -------: | -----: | ----: |
| core/net/block x 3/mlp/up   |         2.880 | 47.8 % |    4.560 | 30.3 % |     5 |
| core/net/block x 3/mlp/down |         2.880 | 47.8 % |    4.320 | 28.7 % |     5 |
| core/net/head               |         0.240 |  4.0 % |    0.520 |  3.5 % |     5 |
| tail/out                    |       0.02400 |  0.4 % |  0.07200 |  0.5 % |     1 |
| core/net/block x 3/act      |             0 |  0.0 % |    2.880 | 19.1 % |     5 |
| core/net/block x 3/residual |             0 |  0.0 % |    2.160 | 14.3 % |     5 |
| core/net/scaled             |             0 |  0.0 % |    0.560 |  3.7 % |     5 |
| core/net/other              |             0 |  0.0 % |        0 |  0.0 % |     5 |

Together 100.0 % of the FLOPs (torch), 100.0 % of the bytes moved, 100.0 % of the kernels; of 8 layers.

## Top 10 layers by bytes moved

| Layer                       | kB moved |  Share | kFLOP (torch) |  Share | Calls |
| --------------------------- | -------: | -----: | ------------: | -----: | ----: |
| core/net/block x 3/mlp/up   |    4.560 | 30.3 % |         2.880 | 47.8 % |     5 |
| core/net/block x 3/mlp/down |    4.320 | 28.7 % |         2.880 | 47.8 % |     5 |
| core/net/block x 3/act      |    2.880 | 19.1 % |             0 |  0.0 % |     5 |
| core/net/block x 3/residual |    2.160 | 14.3 % |             0 |  0.0 % |     5 |
| core/net/scaled             |    0.560 |  3.7 % |             0 |  0.0 % |     5 |
| core/net/head               |    0.520 |  3.5 % |         0.240 |  4.0 % |     5 |
| tail/out                    |  0.07200 |  0.5 % |       0.02400 |  0.4 % |     1 |
| core/net/other              |        0 |  0.0 % |             0 |  0.0 % |     5 |

Together 100.0 % of the FLOPs (torch), 100.0 % of the bytes moved, 100.0 % of the kernels; of 8 layers.

## Top 5 categories by FLOPs (torch)

| Category   | kFLOP (torch) |  Share | kB moved |  Share |
| ---------- | ------------: | -----: | -------: | -----: |
| mlp        |         5.760 | 95.6 % |    8.880 | 58.9 % |
| linear     |         0.264 |  4.4 % |    0.592 |  3.9 % |
| activation |             0 |  0.0 % |    3.440 | 22.8 % |
| other      |             0 |  0.0 % |    2.160 | 14.3 % |

## Notes

- first note
- second note

FLOPs (torch): matrix products, convolutions and attention, as torch.utils.flop_counter counts. FLOPs (full): all arithmetic. Layers that repeat are counted with all their repetitions.
)");
}

TEST(TinySummary, OfOneStageSaysOneForwardAndHasNoStages) {
  Report one = report();
  one.stages.resize(1);
  one.notes.clear();
  for (AnalyticModuleNode& m : one.modules) {
    if (m.module_id == "tail/out") m.parent_id = "core/net";
  }
  const std::string text = summary_markdown(one);
  EXPECT_THAT(text, HasSubstr("| one forward |"));
  EXPECT_THAT(text, Not(HasSubstr("## Stages")));
  EXPECT_THAT(text, Not(HasSubstr("## Notes")));
}

TEST(TinySummary, NamesTheStageThatAnotherOneRuns) {
  Report nested = report();
  nested.stages[1].nested_in = "diffusion";
  EXPECT_THAT(summary_markdown(nested), HasSubstr("\n| vae (in diffusion) |"));
}

// --- the tree of layers ---

std::string tree(const LayerTreeOptions& options) {
  return layer_tree(*module_tree(model(), run(), {}), run().trace(), run().rollup(), options);
}

TEST(TinyTree, HasEveryLayerWithItsColumns) {
  EXPECT_EQ(tree({9}),
            R"(Layer              Class      Input   Output  Parameters  kFLOP (torch)      %  kB moved      %  Calls
-----------------  ---------  ------  ------  ----------  -------------  -----  --------  -----  -----
pipeline           TinyModel                         246          6.024  100.0    15.072  100.0      1
├─ core/net        TinyNet    [3, 4]  [3, 2]         240          6.000   99.6    15.000   99.5      5
│  ├─ scaled                          [3, 4]           -              0    0.0     0.560    3.7      5
│  ├─ block x 3    TinyBlock  [3, 4]  [3, 4]         228          5.760   95.6    13.920   92.4      5
│  │  ├─ mlp                                         228          5.760   95.6     8.880   58.9      5
│  │  │  ├─ up     Linear     [3, 4]  [3, 8]         120          2.880   47.8     4.560   30.3      5
│  │  │  └─ down   Linear     [3, 8]  [3, 4]         108          2.880   47.8     4.320   28.7      5
│  │  ├─ act       SiLU       [3, 8]  [3, 8]           -              0    0.0     2.880   19.1      5
│  │  └─ residual                                      -              0    0.0     2.160   14.3      5
│  ├─ head         Linear     [3, 4]  [3, 2]           8          0.240    4.0     0.520    3.5      5
│  └─ other                                            4              0    0.0         0    0.0      5
└─ tail/out        Linear     [3, 2]  [3, 2]           6        0.02400    0.4   0.07200    0.5      1
)");
}

TEST(TinyTree, RanksTheLayersOfAParentByWhatIsAsked) {
  EXPECT_EQ(tree({2, &rank_key("kernels")}),
            R"(Layer            Class      Input   Output  Parameters  Kernels      %  kB moved      %  Calls
---------------  ---------  ------  ------  ----------  -------  -----  --------  -----  -----
pipeline         TinyModel                         246       71  100.0    15.072  100.0      1
├─ core/net      TinyNet    [3, 4]  [3, 2]         240       70   98.6    15.000   99.5      5
│  ├─ block x 3  TinyBlock  [3, 4]  [3, 4]         228       60   84.5    13.920   92.4      5
│  ├─ scaled                        [3, 4]           -        5    7.0     0.560    3.7      5
│  ├─ head       Linear     [3, 4]  [3, 2]           8        5    7.0     0.520    3.5      5
│  └─ other                                          4        0    0.0         0    0.0      5
└─ tail/out      Linear     [3, 2]  [3, 2]           6        1    1.4   0.07200    0.5      1

There are layers below: --depth 3 shows them.
)");
  EXPECT_EQ(tree({2, &rank_key("memory")}),
            R"(Layer            Class      Input   Output  Parameters  Weights, B      %  Activation peak, B  Calls
---------------  ---------  ------  ------  ----------  ----------  -----  ------------------  -----
pipeline         TinyModel                         246         984  100.0                 240      1
├─ core/net      TinyNet    [3, 4]  [3, 2]         240         960   97.6                 240      5
│  ├─ block x 3  TinyBlock  [3, 4]  [3, 4]         228         912   92.7                 240      5
│  ├─ head       Linear     [3, 4]  [3, 2]           8          32    3.3                  72      5
│  ├─ other                                          4          16    1.6                 240      5
│  └─ scaled                        [3, 4]           -           0    0.0                  48      5
└─ tail/out      Linear     [3, 2]  [3, 2]           6          24    2.4                  24      1

There are layers below: --depth 3 shows them.
)");
}

// Columns are left out as the width goes down: input, class, calls, shares of the second figure, output, the second
// figure, parameters; the first figure with its share stays.
TEST(TinyTree, LeavesColumnsOutInTheirOrder) {
  const auto header = [](int width) {
    const std::string text = tree({9, nullptr, width});
    std::string line = text.substr(0, text.find('\n'));
    std::string out;
    for (size_t at = 0; at < line.size();) {
      const size_t end = std::min(line.find("  ", at), line.size());
      if (end > at) out += (out.empty() ? "" : "|") + line.substr(at, end - at);
      at = line.find_first_not_of(' ', end);
      if (at == std::string::npos) break;
    }
    return out;
  };
  const std::pair<int, const char*> widths[] = {
      {103, "Layer|Class|Input|Output|Parameters|kFLOP (torch)|%|kB moved|%|Calls"},
      {102, "Layer|Class|Input|Output|Parameters|kFLOP (torch)|%|kB moved|%|Calls"},
      {101, "Layer|Class|Output|Parameters|kFLOP (torch)|%|kB moved|%|Calls"},
      {90, "Layer|Output|Parameters|kFLOP (torch)|%|kB moved|%|Calls"},
      {80, "Layer|Output|Parameters|kFLOP (torch)|%|kB moved|%"},
      {72, "Layer|Output|Parameters|kFLOP (torch)|%|kB moved"},
      {66, "Layer|Parameters|kFLOP (torch)|%|kB moved"},
      {56, "Layer|Parameters|kFLOP (torch)|%"},
      {48, "Layer|kFLOP (torch)|%"},
  };
  for (const auto& [width, columns] : widths) EXPECT_EQ(header(width), columns) << width;
}

// --- rankings ---

std::vector<std::string> ids(const char* key, size_t most) {
  std::vector<std::string> out;
  for (const ModuleMetricsSnapshot* s : top_leaves(report(), most, rank_key(key))) out.push_back(s->module_id);
  return out;
}

TEST(TinyRanking, OrdersLeavesByEachKeyThenItsSecondFigureThenId) {
  // FLOPs 2,880 twice: more bytes first.
  EXPECT_THAT(ids("flops", 4),
              ElementsAre("core/net/block_00/mlp/up", "core/net/block_00/mlp/down", "core/net/head", "tail/out"));
  EXPECT_THAT(ids("bytes", 5), ElementsAre("core/net/block_00/mlp/up", "core/net/block_00/mlp/down",
                                           "core/net/block_00/act", "core/net/block_00/residual", "core/net/scaled"));
  // No weights at all: the higher peak first, 240 of SiLU and the residual, then by id.
  EXPECT_THAT(ids("memory", 100),
              ElementsAre("core/net/block_00/mlp/up", "core/net/block_00/mlp/down", "core/net/head", "tail/out",
                          "core/net/other", "core/net/block_00/act", "core/net/block_00/residual", "core/net/scaled"));
  EXPECT_THAT(ids("kernels", 6),
              ElementsAre("core/net/block_00/mlp/up", "core/net/block_00/mlp/down", "core/net/block_00/act",
                          "core/net/block_00/residual", "core/net/scaled", "core/net/head"));
}

// A category in which nothing runs is none; parts of one are added.
TEST(TinyRanking, OfCategoriesHasThoseThatRun) {
  Report r = report();
  for (ModuleMetricsSnapshot& s : r.module_metrics) {
    const bool activation = s.module_id == "core/net/scaled" || s.module_id == "core/net/block_00/act";
    if (activation) s.exact = Figures();
  }
  std::vector<std::string> names;
  for (const CategoryFigures& c : top_categories(r, 100)) names.push_back(c.id);
  EXPECT_THAT(names, ElementsAre("mlp", "linear", "other"));
  const auto all = top_categories(report(), 100, rank_key("kernels"));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].id, "mlp");
  EXPECT_EQ(all[0].figures.kernels, 30);
  EXPECT_EQ(all[1].id, "activation");
  EXPECT_EQ(all[1].figures.kernels, 20);
  EXPECT_EQ(all[3].id, "linear");
  EXPECT_EQ(all[3].figures.parameters, 8 + 6);
}

TEST(TinyRanking, AsTablesByMemory) {
  EXPECT_EQ(top_tables(report(), {4, 2}, {&rank_key("memory")}), R"(## Top 4 layers by weights

| Layer                       | Weights, B |  Share | Activation peak, B | Calls |
| --------------------------- | ---------: | -----: | -----------------: | ----: |
| core/net/block x 3/mlp/up   |        480 | 48.8 % |                144 |     5 |
| core/net/block x 3/mlp/down |        432 | 43.9 % |                192 |     5 |
| core/net/head               |         32 |  3.3 % |                 72 |     5 |
| tail/out                    |         24 |  2.4 % |                 24 |     1 |

Together 100.0 % of the FLOPs (torch), 62.8 % of the bytes moved, 50.7 % of the kernels; of 8 layers.

## Top 2 categories by weights

| Category | Weights, B |  Share | Activation peak, B |
| -------- | ---------: | -----: | -----------------: |
| mlp      |        912 | 92.7 % |                192 |
| linear   |         56 |  5.7 % |                 72 |
)");
}

TEST(TinyRanking, AsJsonByBytes) {
  const auto json = nlohmann::ordered_json::parse(top_json(report(), {2, 1}, rank_key("bytes")));
  EXPECT_EQ(json, nlohmann::ordered_json::parse(R"({"report_id": "tiny", "by": "bytes",
    "layers": [
      {"module_id": "core/net/block_00/mlp/up", "flops_torch": 2880, "flops_full": 3240, "bytes_moved": 4560,
       "kernels": 15, "weight_bytes": 480, "activation_peak_bytes": 144, "kv_cache_bytes": 0,
       "share": 0.30254777070063693, "calls": 5},
      {"module_id": "core/net/block_00/mlp/down", "flops_torch": 2880, "flops_full": 3060, "bytes_moved": 4320,
       "kernels": 15, "weight_bytes": 432, "activation_peak_bytes": 192, "kv_cache_bytes": 0,
       "share": 0.28662420382165604, "calls": 5}],
    "categories": [
      {"category_id": "mlp", "flops_torch": 5760, "flops_full": 6300, "bytes_moved": 8880, "kernels": 30,
       "weight_bytes": 912, "activation_peak_bytes": 192, "kv_cache_bytes": 0, "share": 0.589171974522293,
       "flops_tflops": 5.76e-9, "io_tb": 8.88e-9}]})"));
}

// --- pages of layers ---

std::map<std::string, std::string> pages(const ModuleTreeOptions& options = {}) {
  const Report of = build_report(model(), run(), "tiny", options);
  std::map<std::string, std::string> out;
  for (auto& [name, text] : layer_docs(model(), run(), of, options)) out[name] = text;
  return out;
}

TEST(TinyPages, AreOneForEachModuleAndASummary) {
  const auto all = pages();
  EXPECT_EQ(all.size(), report().modules.size() + 1);
  for (const AnalyticModuleNode& m : report().modules) {
    const std::string name = layer_page_name(m.module_id);
    ASSERT_EQ(all.count(name), 1u) << name;
    EXPECT_THAT(all.at("summary.md"), HasSubstr("- [" + m.module_id + "](" + name + ")\n"));
    EXPECT_THAT(all.at(name), testing::StartsWith("# " + m.name + " (`" + m.module_id + "`)\n"));
  }
  EXPECT_EQ(layer_page_name("a/b_00/c"), "a_b_00_c.md");
  EXPECT_THAT(all.at("summary.md"), testing::StartsWith(summary_markdown(report())));
}

TEST(TinyPages, OfALayerHasItsFormulas) {
  EXPECT_EQ(pages().at("core_net_block_00_mlp_up.md"), R"(# up (`core/net/block_00/mlp/up`)

A Linear.

- stage: diffusion
- class: `torch.nn.modules.linear.Linear`
- parent: `core/net/block_00/mlp`
- in_features: 4
- out_features: 8
- bias: true
- parameter `weight`: [8, 4] f32
- parameter `bias`: [8] f32

## Forward

```python
t2 = torch.addmm(given[8], t1, given[4, 8])  # [3, 8] f32
```

As traced, views left out: `t1`, `t2` … are tensors, `given[…]` a parameter, buffer or input.

## Costs of the whole run

|                      |      figure |     exact |
| -------------------- | ----------: | --------: |
| Calls                |           5 | 15 of all |
| FLOPs (torch)        | 2.880 kFLOP |     2,880 |
| FLOPs (full)         | 3.240 kFLOP |     3,240 |
| - tensor             | 2.880 kFLOP |     2,880 |
| - vector             | 0.360 kFLOP |       360 |
| Bytes moved          |    4.560 kB |     4,560 |
| Bytes read           |    3.120 kB |     3,120 |
| Bytes written        |    1.440 kB |     1,440 |
| Kernels              |          15 |        15 |
| Parameters           |         120 |       120 |
| Weights              |       480 B |       480 |
| Activation peak      |       144 B |       144 |
| KV cache             |         0 B |         0 |
| Arithmetic intensity | 0.71 FLOP/B |           |

## Formulas

- `addmm`, 15 times in the run
  - tensor FLOPs: 2 m k n = 2 x 3 x 4 x 8 = 192 FLOP
  - vector FLOPs: elements = 3 x 8 = 24 FLOP
  - read: input + input + input = 8 x 4 + 3 x 4 x 4 + 4 x 8 x 4 = 208 B
  - written: output = 3 x 8 x 4 = 96 B
)");
}

TEST(TinyPages, OfABlockHasItsParts) {
  EXPECT_EQ(pages().at("core_net_block_00.md"), R"(# block_00 (`core/net/block_00`)

Up, SiLU and down beside a residual.

- stage: diffusion
- class: `tiny.nets.TinyBlock`
- parent: `core/net`
- repetition: 3 of them, one after another
- hidden: 8

## Forward

```python
t2 = self.up(t1)  # Linear: [3, 8] f32
t3 = self.act(t2)  # SiLU: [3, 8] f32
t4 = self.down(t3)  # Linear: [3, 4] f32
t5 = torch.add(t4, t1)  # [3, 4] f32
```

As traced, views left out: `t1`, `t2` … are tensors, `given[…]` a parameter, buffer or input.

## Costs of the whole run

|                      |      figure |     exact |
| -------------------- | ----------: | --------: |
| Calls                |           5 | 15 of all |
| FLOPs (torch)        | 5.760 kFLOP |     5,760 |
| FLOPs (full)         | 7.920 kFLOP |     7,920 |
| - tensor             | 5.760 kFLOP |     5,760 |
| - vector             | 2.160 kFLOP |     2,160 |
| Bytes moved          |   13.920 kB |    13,920 |
| Bytes read           |    9.600 kB |     9,600 |
| Bytes written        |    4.320 kB |     4,320 |
| Kernels              |          60 |        60 |
| Parameters           |         228 |       228 |
| Weights              |       912 B |       912 |
| Activation peak      |       240 B |       240 |
| KV cache             |         0 B |         0 |
| Arithmetic intensity | 0.57 FLOP/B |           |

## Parts

| Part                                                        | FLOP (torch) | FLOP (full) | B moved | Kernels | Weights, B | Activation peak, B |
| ----------------------------------------------------------- | -----------: | ----------: | ------: | ------: | ---------: | -----------------: |
| [core/net/block_00/mlp](core_net_block_00_mlp.md)           |        5,760 |       6,300 |   8,880 |      30 |        912 |                192 |
| [core/net/block_00/act](core_net_block_00_act.md)           |            0 |       1,440 |   2,880 |      15 |          0 |                240 |
| [core/net/block_00/residual](core_net_block_00_residual.md) |            0 |         180 |   2,160 |      15 |          0 |                240 |
| sum; peak: highest                                          |        5,760 |       7,920 |  13,920 |      60 |        912 |                240 |
)");
}

TEST(TinyPages, OfAGroupHasWhatItHoldsInOrder) {
  const std::string page = pages().at("core_net_block_00_mlp.md");
  EXPECT_THAT(page, HasSubstr("\n\nA group of modules.\n\n"));
  EXPECT_THAT(page, HasSubstr("## Forward\n\n1. `core/net/block_00/mlp/up`\n2. `core/net/block_00/mlp/down`\n"));
}

TEST(TinyPages, SayWhatAModuleIs) {
  const auto all = pages();
  const std::pair<const char*, const char*> descriptions[] = {
      {"core_net_block_00.md", "Up, SiLU and down beside a residual."},
      {"core_net_scaled.md", "x times a vector."},
      {"core_net_head.md", "A Linear."},
      {"core_net_other.md", "What `core/net` does itself, beside its children."},
      {"core_net_block_00_residual.md", "What `core/net/block_00` does itself, beside its children."},
      {"pipeline.md", "A TinyModel."},
  };
  for (const auto& [page, text] : descriptions)
    EXPECT_THAT(all.at(page), HasSubstr(std::string("`)\n\n") + text + "\n\n"));
  EXPECT_THAT(all.at("core_net.md"), HasSubstr("- parameter `scale`: [4] f32\n"));
  EXPECT_THAT(all.at("core_net.md"), HasSubstr("t1 = scaled()  # [3, 4] f32\nfor i in range(3):\n"
                                               "    t1 = self.blocks[i](t1)  # TinyBlock: [3, 4] f32\n"
                                               "t2 = self.head(t1)  # Linear: [3, 2] f32\n"));
}

// 24 kinds of kernels are shown, in the order in which they run.
class ManyKernels : public Module<ManyKernels> {
 public:
  explicit ManyKernels(const BuildContext&, int64_t kinds) : Module("ManyKernels"), kinds_(kinds) {}
  void forward(const Tensor&) const {
    for (int64_t size = 1; size <= kinds_; ++size) torch::neg(Tracer::current().allocate({size}, DType::float32));
  }

 private:
  int64_t kinds_;
};

TEST(TinyPages, ShowTwentyFourKindsOfKernels) {
  for (const auto& [kinds, more] : {std::pair{24, ""},
                                    {25, "\n1 more kinds of kernels are not shown.\n"},
                                    {30, "\n6 more kinds of kernels are not shown.\n"}}) {
    const testing_models::TinyModel many(
        std::make_unique<testing_models::TinyStage<ManyKernels>>("core/many", "other", 2, Shape{1}, int64_t{kinds}));
    const Evaluation of = evaluate(many);
    for (const auto& [name, text] : layer_docs(many, of, build_report(many, of, "many"), {})) {
      if (name != "core_many.md") continue;
      size_t shown = 0;
      for (size_t at = text.find("\n- `neg`"); at != std::string::npos; at = text.find("\n- `neg`", at + 1)) ++shown;
      EXPECT_EQ(shown, 24u) << kinds;
      EXPECT_THAT(text, HasSubstr("written: output = 24 x 4 = 96 B\n" + std::string(more))) << kinds;
      EXPECT_EQ(text.find("more kinds") != std::string::npos, kinds > 24);
      EXPECT_THAT(text, HasSubstr("| Kernels              | " + std::string(kinds == 24   ? "         48 "
                                                                            : kinds == 25 ? "         50 "
                                                                                          : "         60 ")));
    }
  }
}

// Each of the blocks ran five times of the fifteen.
TEST(TinyPages, OfExpandedBlocksCountEachOnes) {
  const std::string page = pages({true}).at("core_net_block_01_act.md");
  EXPECT_THAT(page, HasSubstr("- `silu`, 5 times in the run\n  - vector FLOPs: 4 elements = 4 x 3 x 8 = 96 FLOP\n"));
  EXPECT_THAT(page, HasSubstr("| Calls                |           5 |     5 |"));
}

TEST(TinyPages, SummaryHasMetricsAndParametersOfLeaves) {
  const std::string text = pages().at("summary.md");
  EXPECT_THAT(
      text, HasSubstr("| [tail/out](tail_out.md)                                     | vae       |       0.02400 |  "
                      "    0.03000 |  0.07200 |       1 |         24 |                 24 |     1 |          0.4 % |"));
  EXPECT_THAT(text,
              HasSubstr("| core/net/head              | diffusion | in_features=4, out_features=2, bias=false |\n"));
}

// --- layer classes ---

TEST(TinyOperators, AreTheClassesWithTheirNumbers) {
  const TargetOperatorList list = target_operators(model(), run(), "snap");
  EXPECT_EQ(
      operators_markdown(list),
      R"(| Class                                 | Count | Parameters | Category   | Children                            |
| ------------------------------------- | ----: | ---------: | ---------- | ----------------------------------- |
| tiny.nets.TinyBlock                   |     3 |        228 | other      | SiLU, Linear                        |
| tiny.nets.TinyNet                     |     1 |        240 | other      | TinyBlock, SiLU, ModuleList, Linear |
| torch.nn.modules.activation.SiLU      |     3 |          0 | activation | -                                   |
| torch.nn.modules.container.ModuleList |     1 |        228 | other      | TinyBlock, SiLU, Linear             |
| torch.nn.modules.linear.Linear        |     8 |        242 | mlp        | -                                   |
)");
  // 3 x 2 of the blocks, the head, the tail: 3 x 76 + 8 + 6 parameters.
  const OperatorSpec& linear = list.operators.back();
  EXPECT_EQ(linear.class_name, "Linear");
  EXPECT_EQ(linear.count, 8);
  EXPECT_EQ(linear.parameters, 242);
  EXPECT_TRUE(linear.is_pytorch_builtin);
  EXPECT_FALSE(list.operators.front().is_pytorch_builtin);
  EXPECT_THAT(list.operators.front().children_classes,
              ElementsAre("torch.nn.modules.activation.SiLU", "torch.nn.modules.linear.Linear"));
}

TEST(TinyOperators, AsFilesOfTorchinfo) {
  const TargetOperatorList list = target_operators(model(), run(), "snap");
  const auto files = operator_files(model(), list);
  ASSERT_EQ(files.size(), 3u);
  const auto layers = nlohmann::json::parse(files[0].second), stages = nlohmann::json::parse(files[2].second);
  EXPECT_EQ(layers["generated_at"], "snap");
  EXPECT_EQ(layers["total_params"], 246);
  EXPECT_EQ(layers["num_unique_layers"], 5);
  EXPECT_EQ(layers["layers"][0], nlohmann::json::parse(R"({"class_name": "TinyBlock",
    "class_name_qualified": "tiny.nets.TinyBlock", "is_torch_builtin": false, "count": 3, "parameters": 228,
    "default_category_id": "other",
    "children": ["torch.nn.modules.activation.SiLU", "torch.nn.modules.linear.Linear"]})"));
  EXPECT_EQ(files[1].second, "# Unique layers\n\n" + operators_markdown(list));
  // Multiplications with additions: half the tensor FLOPs of a whole run, as torchinfo's of each call.
  EXPECT_EQ(stages["stages"], nlohmann::json::parse(R"({
    "core/net": {"stage_name": "core/net", "params": 240, "macs": 3000},
    "tail/out": {"stage_name": "tail/out", "params": 6, "macs": 12}})"));
}

}  // namespace
}  // namespace modelmeter
