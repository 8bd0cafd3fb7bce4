// Rankings: the layers and the categories of a report that have the most of something.
#pragma once

#include <string>
#include <vector>

#include "report/ranking.h"
#include "report/report.h"

namespace modelmeter {

struct CategoryFigures {
  std::string id;
  Figures figures;  // of its leaves
  double time_ms = 0;
};

// The leaves with the most, and the categories; ties by id. Error where it is by times and there are none.
std::vector<const ModuleMetricsSnapshot*> top_leaves(const Report& report, size_t most,
                                                     const RankKey& key = rank_keys[0]);
std::vector<CategoryFigures> top_categories(const Report& report, size_t most, const RankKey& key = rank_keys[0]);

struct TopSizes {
  size_t layers = 10, categories = 5;
};

// Tables: layers by each of the keys, then categories by the first.
std::string top_tables(const Report& report, TopSizes sizes, const std::vector<const RankKey*>& keys);
std::string top_json(const Report& report, TopSizes sizes, const RankKey& key);

// What people see who ask for nothing: what computes, and what moves bytes. Torch counts no FLOPs of the largest
// movers.
std::vector<const RankKey*> default_rank_keys();

}  // namespace modelmeter
