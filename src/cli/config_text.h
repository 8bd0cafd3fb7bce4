// What the flags of Hydra print in place of a run: --cfg, --info, --hydra-help, and the part of --help that is about a
// configuration.
#pragma once

#include <string>

#include "cli/arguments.h"
#include "config/compose.h"

namespace modelmeter::cli {

// Whether one of them is given. Error (usage) for two of them, and for what goes with one of them only.
bool is_shown(const Arguments& arguments);

// The text of --cfg or --info.
std::string shown_text(const Arguments& arguments, const config::Composition& composition,
                       const config::Repository& repository);

// hydra.help and hydra.hydra_help, with $FLAGS_HELP, $APP_CONFIG_GROUPS, $HYDRA_CONFIG_GROUPS and $CONFIG replaced.
std::string app_help(const config::Composition& composition, const config::Repository& repository, bool resolved);
std::string hydra_help(const config::Composition& composition, const config::Repository& repository);

}  // namespace modelmeter::cli
