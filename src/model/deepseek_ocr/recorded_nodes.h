// The nodes of a configuration that the headers of both codes' recordings become, and how they are put together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/deepseek_ocr/code_base.h"

namespace modelmeter::deepseek_ocr {

config::Node map_of(std::vector<std::pair<const char*, config::Node>> entries);
config::Node text(std::string_view value);

// `config` holds what config.json says.
config::Node recorded_hf(const Recording& recording, config::Node config);
config::Node recorded_model(const CodeBase& code, const std::string& stage);
// The workload's batch, and what no forward depends on.
config::Node recorded_workload(const config::View& workload);

// Error where the weights are in another type than the one that is modelled.
void check_weights(const Recording& recording);

}  // namespace modelmeter::deepseek_ocr
