// What differs between two reports: inputs, totals, and costs by layer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace modelmeter {

struct InputDifference {
  std::string name, a, b;  // "workload.num_frames"; "-" where one side has none
};

struct FigureDifference {
  std::string name;
  std::optional<Count> a, b;  // null where it is not known
};

struct LayerDifference {
  std::string module_id;  // of both, or the role where two code bases call it differently
  std::string label;      // for people: "block x 40" in place of "block_00"
  bool in_a = false, in_b = false;
  Count flops_a = 0, flops_b = 0, bytes_a = 0, bytes_b = 0;
};

struct ReportDifference {
  std::string a, b;  // ids of the reports
  std::vector<InputDifference> inputs;
  std::vector<FigureDifference> totals;  // every total, equal or not
  std::vector<LayerDifference> layers;   // leaves that differ, the largest change of FLOPs first, then of bytes
  size_t layers_in_common = 0;           // leaves of both, equal or not
  bool by_role = false;                  // reports of two code bases: layers stand by what they are for (role.h)
};

ReportDifference difference(const Report& a, const Report& b);

// Tables for people, and one JSON object with every layer that differs.
std::string difference_markdown(const ReportDifference& difference, size_t most_layers);
std::string difference_json(const ReportDifference& difference);

}  // namespace modelmeter
