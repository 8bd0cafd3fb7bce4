// What an error says of a config that is not there: the options that are, those that go with what it replaces first,
// and where configs are looked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/repository.h"

namespace modelmeter::config {

// The options of a group, one a line: those that rest on what the replaced one does, where there are more than that
// one. typed: what was written, for a did-you-mean.
std::vector<std::string> option_notes(const Repository& repository, const std::string& group,
                                      std::string_view typed = "", const std::string& replaced = "");

// What does the work of a launcher or sweeper of Hydra's plugins here; "" of any other option.
std::string instead_of_plugin(std::string_view group, std::string_view option);

std::string search_path_note(const Repository& repository);

}  // namespace modelmeter::config
