// Devices side by side, for people and as JSON: the figures of their files, each with its source.
#pragma once

#include <string>
#include <vector>

#include "hardware/cluster.h"
#include "hardware/device.h"

namespace modelmeter {

// A line each.
std::string devices_text(const std::vector<Device>& devices);
std::string clusters_text(const std::vector<Cluster>& clusters);
// A column each, with the key of every figure's source, and the sources below.
std::string device_comparison_text(const std::vector<Device>& devices);
// In base units; of each figure the value, and kind, date and title of its source.
std::string devices_json(const std::vector<Device>& devices);

}  // namespace modelmeter
