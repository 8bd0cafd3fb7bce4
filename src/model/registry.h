// The model families: what a configuration can name in `model._target_`, and what a reference recording can be of.
// Adding one is a row of the table in registry.cc.
//
// A recording is built by the way that a user's run is: configuration_of() writes what its header says as the
// configuration that a user would compose, and build_model() builds that.
#pragma once

#include <memory>

#include "config/registry.h"
#include "model/analytic_model.h"
#include "model/data_files.h"
#include "recording/recording.h"

namespace modelmeter {

// Builds the model that config.model._target_ names. Errors have their place in the configuration; a node that the
// family does not read is one.
std::unique_ptr<AnalyticModel> build_model(const config::View& config, const DataFiles& files);

// A recording of any code as a model: what was recorded runs (recordings/model.h). `name`: what reports call the run.
std::unique_ptr<AnalyticModel> model_of_recording(Recording recording, std::string name);

// The configuration that a recording's header says: nodes hf, runtime, workload, model …, whole, model.stages the one
// stage that the recording is a forward of. Nothing is taken from its kernels. What an older header does not say is
// left to the code base's default. Error where no twin of the recorded root module is known.
config::Node configuration_of(const Recording& recording);

// What an older header may mean that does not say all that decides kernels.
struct HeaderReading {
  std::string workload;  // of the header, whole
  std::string said;      // "workload.token_timesteps: true"
};
std::vector<HeaderReading> readings_of(const Recording& recording);  // none where the header says all

// Where a stage, by its id, stands among those that a pipeline runs one after another, parts before what they are parts
// of; stages of other names come last.
size_t place_in_pipeline(const std::string& stage);

// Whether the stage is a forward of a whole model: the diffusion transformer, a prompt, a token, a run of such.
bool is_whole_forward(const std::string& stage);

// What a recording is of, to be traced by trace_forward(): the stage of the model that configuration_of() builds.
std::shared_ptr<const Stage> stage_of_recording(const Recording& recording);

}  // namespace modelmeter
