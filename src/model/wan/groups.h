// Groups of a configuration that may be missing, and which of their values somebody typed.
#pragma once

#include "config/access.h"

namespace modelmeter::wan {

// A group of a configuration, which may be missing: then one without keys.
config::View group_or_none(const config::View& config, const char* name);

// Whether a value of a configuration was given by an override.
bool is_typed(const config::Node& value);

}  // namespace modelmeter::wan
