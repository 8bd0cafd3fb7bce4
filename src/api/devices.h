// Devices by the names of their files.
#pragma once

#include <string>
#include <vector>

#include "hardware/cluster.h"
#include "hardware/device.h"

namespace modelmeter {

// Those of these names, of configs/device or of the folders `device` in config_dirs, or files of the user's
// (path/to/mine.yaml); without names all that there are. Error with a did-you-mean.
std::vector<Device> devices_named(const std::vector<std::string>& names,
                                  const std::vector<std::string>& config_dirs = {});

// All that the folders `cluster` have.
std::vector<Cluster> all_clusters(const std::vector<std::string>& config_dirs = {});

}  // namespace modelmeter
