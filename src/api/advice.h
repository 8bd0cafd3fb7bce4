// Hydra advises to append what is not there ("To append to your config use +a.b=1") without knowing who reads it. Here
// the advice stands only where it works.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace modelmeter {

// The error without advice that only gives another error; with what that says, unless the key is unknown. `run` takes
// the overrides as advised and throws where they are refused.
Error without_vain_advice(const Error& error, const std::vector<std::string>& overrides,
                          const std::function<void(const std::vector<std::string>&)>& run);

// The error that a word of the command line makes, with those that others make once it is left out.
Error with_errors_of_other_words(const Error& error, std::vector<std::string> overrides,
                                 const std::function<void(const std::vector<std::string>&)>& run);

}  // namespace modelmeter
