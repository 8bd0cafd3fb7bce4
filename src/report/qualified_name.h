// The qualified name of a layer's class, as Python would give it.
#pragma once

#include <string>

#include "model/analytic_model.h"

namespace modelmeter {

// "torch.nn.modules.linear.Linear" for torch's own; else the module that the model's names give for the class, which
// runs in the stage of that id. `leaf`: no layer is below it (diffusers has a GELU of its own, which holds a Linear).
std::string qualified_class_name(const ReportNames& names, const std::string& klass, const std::string& stage_id,
                                 bool leaf);

}  // namespace modelmeter
