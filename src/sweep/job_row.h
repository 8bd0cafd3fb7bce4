// What a job of a sweep ends in, as it goes into a store (store.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "database/database.h"
#include "sweep/job_key.h"
#include "sweep/sweep.h"

namespace modelmeter {

// On the device that the configuration names, of the whole run (timing/run_time.h).
struct JobTime {
  double latency_s = 0, low_s = 0, high_s = 0;  // nine runs in ten within low and high
  double device_s = 0;
  std::optional<double> joules, usd, mfu;
};

struct JobFigures {
  Totals totals;
  std::optional<JobTime> time;
};

struct JobRow {
  int64_t number = 0;
  JobHash key = 0;
  std::string changes;            // of the configuration, from the first job's
  std::vector<StoredValue> axes;  // as SweepDescription::axes
  std::optional<int64_t> result;  // that is stored already
  std::optional<JobFigures> figures;
  std::string error;   // where there are no figures
  bool again = false;  // the machine failed it and not its configuration: it is not kept
};

// Finds the result of another sweep.
using FindResult = std::function<std::optional<int64_t>(JobHash)>;

// The columns of a store's results that hold figures, in order.
const std::vector<std::string>& figure_columns();

}  // namespace modelmeter
