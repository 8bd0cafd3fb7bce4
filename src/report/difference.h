// What differs between two reports: inputs, totals, times, and costs by layer. Reports of one run on two devices have
// their times side by side.
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

// Of the whole run, or one forward of a stage; nothing where a report has no device, or the other has no such stage.
struct TimeDifference {
  enum class Unit { seconds, joules, usd };

  std::string name;  // "wall", "device", "diffusion/dit, one forward"
  Unit unit;
  std::optional<double> a, b;
};

struct LayerDifference {
  std::string module_id;  // of both, or the role where two code bases call it differently
  std::string label;      // for people: "block x 40" in place of "block_00"
  bool in_a = false, in_b = false;
  Count flops_a = 0, flops_b = 0, bytes_a = 0, bytes_b = 0;
  double ms_a = 0, ms_b = 0;  // on the device, where both reports have one
};

struct ReportDifference {
  std::string a, b;  // ids of the reports
  std::vector<InputDifference> inputs;
  std::vector<FigureDifference> totals;  // every total, equal or not
  std::string device_a, device_b;        // "" without one
  std::vector<TimeDifference> times;     // where a report has a device
  // Leaves that differ, the largest change of time first where both have times, else of FLOPs, then of bytes.
  std::vector<LayerDifference> layers;
  size_t layers_in_common = 0;  // leaves of both, equal or not
  bool by_role = false;         // reports of two code bases: layers stand by what they are for (role.h)
};

ReportDifference difference(const Report& a, const Report& b);

// Tables for people, and one JSON object with every layer that differs.
std::string difference_markdown(const ReportDifference& difference, size_t most_layers);
std::string difference_json(const ReportDifference& difference);

}  // namespace modelmeter
