// The question of `modelmeter fit` as people ask it: the memory of a device or so many bytes, and how far to go.
#pragma once

#include <string>

#include "fit/fit.h"
#include "fit/fit_text.h"

namespace modelmeter {

struct FitRequest {
  std::string memory;                         // "24GiB", "80 GB"; "": the machine's
  std::string alloc_conf;                     // PYTORCH_CUDA_ALLOC_CONF
  bool max_frames = false, max_size = false;  // also the most frames, the largest video of the same shape, that fit
};

// Of the configuration that `model` was built of; `model_of` gives it with more overrides. `machine` may be null where
// the memory is given; it has to stay while the report is used. Error (usage) where there is neither.
FitReport fit_report(const AnalyticModel& model, const ModelOf& model_of, const Machine* machine,
                     const FitRequest& request);

}  // namespace modelmeter
