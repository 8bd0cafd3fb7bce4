// The models that a configuration can name in `model._target_`, and those that a reference recording can be of.
// Adding a model family is a line in registry.cc for each.
#pragma once

#include <memory>

#include "config/registry.h"
#include "model/analytic_model.h"
#include "model/data_files.h"
#include "recording/recording.h"

namespace modelmeter {

// Builds the model that config.model._target_ names. Errors have their place in the configuration.
std::unique_ptr<AnalyticModel> build_model(const config::View& config, const DataFiles& files);

// Builds what a recording is of, with its sizes, to be traced by trace_forward(). Error where no twin of it is known.
std::unique_ptr<Stage> stage_of_recording(const Recording& recording);

}  // namespace modelmeter
