// What a composed configuration names beside the model: files of the user's in the groups of hardware, and the machine.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/access.h"
#include "hardware/catalog.h"
#include "timing/machine.h"

namespace modelmeter {

// What drives a device where a configuration does not say.
inline constexpr const char* default_stack_name = "torch_2_11";
inline constexpr const char* default_host_name = "virtual_16_cores";

// run_id=NAME, as the forerunner had it, is report.run_id.
std::vector<std::string> with_report_keys(std::vector<std::string> overrides);

// The entry file whose model is a recording, and the word that names its file.
inline constexpr const char* recording_config = "_recording/any";
std::string recording_word(const std::string& file);

// Options of the hardware groups may be files of the user's, device=path/to/mine.yaml, also among others of a sweep:
// those of the words, which name the option from here on.
std::vector<UserFile> take_user_files(std::vector<std::string>& words);

// The device of a resolved configuration, with the stack and the host that drive it (by default those
// above), or nothing where it names none. `choices`: groups and their options. Error where it names a stack or a host
// without a device; all that is wrong in the three is one Error.
std::optional<Machine> chosen_machine(const config::View& root,
                                      const std::vector<std::pair<std::string, std::string>>& choices,
                                      const config::Repository& repository);

}  // namespace modelmeter
