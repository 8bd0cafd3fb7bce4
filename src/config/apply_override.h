// One override of the command line applied to a composed configuration in struct mode (Hydra 1.3.2; of 1.4: `~` deletes
// null, missing and list elements too).
#pragma once

#include "config/interpolation.h"
#include "config/override.h"

namespace modelmeter::config {

// Throws Error with Hydra's message: the key does not exist (with a did-you-mean), or exists where + adds it.
void apply_override(Node& root, const Override& word, const Resolvers& resolvers);

}  // namespace modelmeter::config
