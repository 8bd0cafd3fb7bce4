// What a layer is for, whichever code base calls it what: so that two code bases of one model can be compared layer by
// layer.
#pragma once

#include <string>

namespace modelmeter {

// The id that the official code's report has for the layer with this id of another code base (`diffusers`). Blocks of
// the autoencoder's up and down stages, which the two group otherwise, become one of the stage in both. An id that has
// no counterpart, and any other implementation's, stays as it is.
std::string role_of(const std::string& module_id, const std::string& implementation);

}  // namespace modelmeter
