// Help texts, made from the flags that the commands really take.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"

namespace modelmeter::cli {

// Adds --help to a command's flags, sorted as given.
std::vector<Flag> with_common(std::vector<Flag> flags);

std::string program_help();
std::string command_help(const std::string& name, const std::vector<Flag>& flags);

// A line to stderr, unless --quiet was given.
void note(const Arguments& arguments, const std::string& text);

}  // namespace modelmeter::cli
