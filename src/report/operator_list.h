// The unique layer classes of a model: the forerunner's TargetOperatorList, which it derived from a run of torchinfo on
// the real model; here from the tree of layers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/analytic_model.h"

namespace modelmeter {

struct OperatorSpec {
  std::string class_name;
  std::string class_name_qualified;  // "torch.nn.modules.linear.Linear"
  bool is_pytorch_builtin = false;
  std::vector<std::string> children_classes;  // qualified, of every layer below, sorted
  std::string
      default_category_id;  // where most of its FLOPs are; of one that only holds others: by its name, or "other"
  int64_t count = 0;        // layers of this class in the model
  int64_t parameters = 0;   // of all of them, with what is below
};

struct TargetOperatorList {
  std::string snapshot_id;
  std::vector<OperatorSpec> operators;  // sorted by qualified name, each once
};

// snapshot_id names the run.
TargetOperatorList target_operators(const AnalyticModel& model, const Evaluation& run, const std::string& snapshot_id);

std::string operators_markdown(const TargetOperatorList& list);  // a table
// One object. `folder`: where operator_files() are, absolute; "" where they are not written.
std::string operators_json(const TargetOperatorList& list, const std::string& folder);

// The files that the forerunner's reader looks for in a folder: torchinfo-unique-layers.json and .md,
// torchinfo-stages.json.
std::vector<std::pair<std::string, std::string>> operator_files(const AnalyticModel& model,
                                                                const TargetOperatorList& list);

}  // namespace modelmeter
