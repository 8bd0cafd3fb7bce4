// What `modelmeter fit` says: for people and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fit/fit.h"
#include "memory/memory_report.h"

namespace modelmeter {

struct FitReport {
  std::string model, workload, device;  // device: its name, or "" where only its memory was given
  FitQuestion question;
  std::string memory_note;  // where its memory is not known as programs see it
  FitWay given;
  std::optional<MemoryReport> alive;  // of the way that was given, and what is alive at its peak
  std::vector<FitWay> ways;           // that fit
  std::vector<FitWay> smaller;        // of smaller workloads the fastest each, the largest first
  std::optional<FitWay> max_frames, max_size;
  int64_t evaluated = 0;  // ways
  bool asked_frames = false, asked_size = false;
};

std::string fit_text(const FitReport& report);
std::string fit_json(const FitReport& report);

}  // namespace modelmeter
