// The types of the `hydra` node: HydraConf of Hydra 1.3.2. What is given another type is converted as OmegaConf does
// (an integer where a text stands, "on" where a flag does), or is an Error; so is a key that there is not.
// Interpolations are not looked into. The nodes of the launcher, the sweeper and hydra.env are left as they are.
#pragma once

#include "config/node.h"

namespace modelmeter::config {

void require_hydra_types(Node& hydra);

}  // namespace modelmeter::config
