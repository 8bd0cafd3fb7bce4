// The tree of modules that a report shows: the scopes of a trace with their costs, joined with the tree of layers.
//
// Repetitions do not show; layers of a ModuleList are one node that stands for all of them, or one node each. A
// module's own kernels and parameters become a leaf beside its children, so that the leaves add up to the root exactly.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cost/figures.h"
#include "cost/rollup.h"
#include "model/analytic_model.h"

namespace modelmeter {

// A scope of the trace, spread evenly over `share` nodes of an expanded list.
struct ScopeShare {
  int32_t scope;
  int64_t share;
};

struct ModuleTreeNode {
  std::string id, name;
  std::string raw_name;  // as in PyTorch, before ReportNames
  std::string path;      // of raw names, from the stage down
  std::string origin;    // id of the stage that runs it
  std::string klass;     // "" for a group or a function
  std::string stage;
  std::string category;  // of a leaf
  const BaseLayer* layer = nullptr;
  int64_t list_count = 0;  // layers of a ModuleList it stands for; 0 for none
  int64_t copies = 1;      // of this node in the model: list counts up to the root
  int64_t calls = 0;       // of all copies
  Cost cost;               // children included
  int64_t peak_live = 0;   // above the start, while it runs
  int64_t parameters = 0, weight_bytes = 0, kv_cache_bytes = 0;
  int64_t used_parameters = 0, used_weight_bytes = 0;  // of a leaf, with those that count with another stage
  Fields group_params;                                 // of a NodeGroup
  std::map<std::string, Cost> by_category;
  std::vector<ScopeShare> scopes;  // of the trace that it stands for
  ModuleTreeNode* parent = nullptr;
  const ModuleTreeNode* runs_in = nullptr;  // the parent, but for a node that is placed elsewhere
  std::vector<std::unique_ptr<ModuleTreeNode>> children;

  bool leaf() const { return children.empty(); }
};

Figures figures_of(const ModuleTreeNode& node);
// How often each of its copies ran: "100"; of experts, which take turns, the mean: "93.7".
std::string calls_text(const ModuleTreeNode& node);

// The scope that shows what a node does: its module's rather than a stage's around it; of several the one that runs
// most, since the first of equal layers may differ. -1 where nothing runs.
int32_t representative_scope(const ModuleTreeNode& node, const Trace& trace, const Rollup& rollup);

struct ModuleTreeOptions {
  bool expand_lists = false;  // block_00 … block_39 instead of one block_00 times 40
};

// The run must be the model's, made by evaluate().
std::unique_ptr<ModuleTreeNode> module_tree(const AnalyticModel& model, const Evaluation& run,
                                            const ModuleTreeOptions& options);

}  // namespace modelmeter
