// One function for each kind of profile that profile.h lists.
#pragma once

#include "verify/profile.h"

namespace modelmeter {

Profile read_chrome_trace(const std::string& path, const std::string& text);
Profile read_nsight_csv(const std::string& path, const std::string& text);
Profile read_nsight_database(const std::string& path);

// A kernel that ran, without the op that launched it.
struct KernelEvent {
  std::string name;
  double us = 0, start = 0;
  std::string device;
};

// Of several devices that with most kernels, in the order in which they began; and a note of it.
std::vector<KernelEvent> of_one_device(std::vector<KernelEvent> events, Profile& profile);

// Each with what goes with it: conversions of layout, sums of a split k, memset.
std::vector<MeasuredLaunch> launches_of_kernels(const std::vector<KernelEvent>& kernels);

}  // namespace modelmeter
