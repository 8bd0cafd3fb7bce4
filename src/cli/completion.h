// Shell completion, as Hydra's -sc: commands, flags, entry configurations, groups, options, keys and their values.
//
//   eval "$(modelmeter -sc install=bash)"                 bash and zsh; uninstall=bash takes it back
//   modelmeter -sc install=fish | source
//   COMP_LINE="modelmeter analyze -cn wan2_1_t2v_14b work" modelmeter -sc query=bash
#pragma once

#include <string>
#include <vector>

namespace modelmeter::cli {

// --shell-completion or -sc is among them.
bool asks_for_completion(const std::vector<std::string>& arguments);
// Error (usage) but for one of install=, uninstall= and query= with a shell.
int shell_completion(const std::vector<std::string>& arguments);

}  // namespace modelmeter::cli
