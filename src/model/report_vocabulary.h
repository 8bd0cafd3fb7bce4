// How a model is called and grouped in reports: what its builders ask of an AnalyticModel beside costs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/fields.h"

namespace modelmeter {

// A kind of cost in reports. The first category that matches a leaf of the module tree takes it.
struct OperatorCategory {
  std::string id, display_name, description;
  std::vector<std::string> match;   // classes, or names of functions ("rope"); none matches everything
  std::vector<std::string> within;  // and one of these classes or module names above it, if any are given
  // match holds parts of class names instead, in lower case: of the leaf's class or the nearest above it.
  bool by_part = false;
};

// A node that stands where the report wants it, not where it runs.
struct PlacedNode {
  std::string path;  // where it runs: names in PyTorch from the stage down ("prefill/model/vision")
  std::string id, stage;
};

// A node of reports that no module is: it holds the nodes whose ids begin with its own.
struct NodeGroup {
  std::string id, klass, stage;
  int64_t repetition_count = 0;  // of the modules that it stands for; those right below it do not tell theirs
  Fields constructor_params;
};

// How modules are called in reports.
struct ReportNames {
  std::string class_prefix;  // of classes that are not torch.nn's: "wan.modules.model."
  std::vector<std::pair<std::string, std::string>>
      modules;  // "self_attn" to "attn/self_attn"; of a list, "blocks[]" to "block"
  std::vector<std::pair<std::string, std::string>> own;  // by class, what its own kernels are called; else "other"
  // Where class_prefix is wrong: of a stage whose id begins so, and of a class (its Python module).
  std::vector<std::pair<std::string, std::string>> stage_class_prefix = {}, class_modules = {};
  std::string root_id = "pipeline", root_stage = "pipeline";
  std::vector<PlacedNode> placed = {};
  std::vector<NodeGroup> groups = {};
  std::vector<std::pair<std::string, std::string>> nested_stages =
      {};  // a stage that runs inside another ("vision" in "prefill")
  std::vector<std::pair<std::string, std::string>> descriptions = {};  // what a class is, in a sentence
  bool leaf_snapshots_only = false;                                    // for consumers that add up every snapshot
};

}  // namespace modelmeter
