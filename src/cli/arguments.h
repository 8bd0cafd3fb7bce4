// The command line, Hydra's way: flags and overrides in any order.
#pragma once

#include <string>
#include <vector>

namespace modelmeter::cli {

// A flag of a command, with or without a value: {"--config-name", "-cn", "NAME"}.
struct Flag {
  std::string name, brief;  // brief may be empty
  std::string value;        // what to call its value in the help; empty for none, "[a|b]" for one that may be left out
  std::string help;
};

class Arguments {
 public:
  // Error (usage) for an unknown flag, with a did-you-mean, a missing value, or one flag given twice.
  Arguments(const std::vector<std::string>& arguments, const std::vector<Flag>& flags);

  bool has(const std::string& flag) const;
  std::string value(const std::string& flag, const std::string& otherwise = "") const;
  std::vector<std::string> values(const std::string& flag) const;  // of a flag given more than once
  const std::vector<std::string>& rest() const { return rest_; }   // everything that is no flag

 private:
  std::vector<std::pair<std::string, std::string>> given_;
  std::vector<std::string> rest_;
};

// What stands beside flags where a command takes files and a configuration: names of files, and words that change the
// configuration: what has a '=' and names no file.
struct FilesAndWords {
  std::vector<std::string> files, words;
};
FilesAndWords files_and_words(const std::vector<std::string>& rest);

// The number that a flag was given; Error (usage) where it is not one above 0.
size_t count_of(const Arguments& arguments, const char* flag, size_t otherwise);

}  // namespace modelmeter::cli
