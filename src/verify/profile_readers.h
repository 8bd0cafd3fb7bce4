// One function for each kind of profile that profile.h lists.
#pragma once

#include "verify/profile.h"

namespace modelmeter {

Profile read_chrome_trace(const std::string& path, const std::string& text);
Profile read_nsight_csv(const std::string& path, const std::string& text);

}  // namespace modelmeter
