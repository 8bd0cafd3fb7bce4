// A line on the terminal that stderr is, drawn over itself: how far, how fast, how long still. Nothing elsewhere.
//   [#########---------------]  3,840/10,000  31,200/s  0:02 left  1 failed
#pragma once

#include <chrono>

#include "sweep/run_sweep.h"

namespace modelmeter::cli {

class ProgressBar {
 public:
  explicit ProgressBar(bool wanted);
  void show(const SweepProgress& progress);
  void clear();
  double seconds() const;  // since it was made

 private:
  std::chrono::steady_clock::time_point began_;
  bool shown_, drawn_ = false;
};

// The line.
std::string progress_line(const SweepProgress& progress, double seconds);

}  // namespace modelmeter::cli
