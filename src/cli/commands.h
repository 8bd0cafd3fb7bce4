// The commands. Each takes the arguments after its name, prints results to stdout and notes to stderr, and returns the
// exit code; Errors are for the caller.
#pragma once

#include <string>
#include <vector>

namespace modelmeter::cli {

using CommandLine = std::vector<std::string>;

int analyze(const CommandLine& arguments);
int memory(const CommandLine& arguments);
int fit(const CommandLine& arguments);
int trace(const CommandLine& arguments);
int verify(const CommandLine& arguments);
int top(const CommandLine& arguments);
int compare(const CommandLine& arguments);
int operators(const CommandLine& arguments);
int devices(const CommandLine& arguments);
int sensitivity(const CommandLine& arguments);
int validate(const CommandLine& arguments);
int profile(const CommandLine& arguments);
int calibrate(const CommandLine& arguments);
int sweep(const CommandLine& arguments);

struct Command {
  std::string name, summary, usage;
  int (*run)(const CommandLine&);
};

const std::vector<Command>& commands();

}  // namespace modelmeter::cli
