// The tree of layers on a screen, in the manner of torchinfo: classes, shapes, parameters, and what they cost.
#pragma once

#include <string>

#include "report/module_tree.h"
#include "report/ranking.h"

namespace modelmeter {

struct LayerTreeOptions {
  int depth = 3;                   // levels below the root
  const RankKey* by = nullptr;     // the layers of a parent with the most of this first; null: as they run, with FLOPs
  int width = 160;                 // columns
  const Report* report = nullptr;  // of the same run: its times, where layers are sorted by them
};

// A row for each node. Equal layers are one, "block x 40", with the costs of all; shapes are those of one call. Where
// the width does not do, columns are left out (input, class, calls …), then names shortened.
std::string layer_tree(const ModuleTreeNode& root, const Trace& trace, const Rollup& rollup,
                       const LayerTreeOptions& options);

}  // namespace modelmeter
