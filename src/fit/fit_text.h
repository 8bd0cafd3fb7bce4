// What `modelmeter fit` says: for people and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fit/fit.h"

namespace modelmeter {

struct FitReport {
  std::string model, workload, device;  // device: its name, or "" where only its memory was given
  FitQuestion question;
  FitWay given;
  std::vector<FitWay> ways;  // that fit
  std::optional<FitWay> max_frames, max_size;
  bool asked_frames = false, asked_size = false;
};

std::string fit_text(const FitReport& report);
std::string fit_json(const FitReport& report);

}  // namespace modelmeter
