// Questions of our own and what Hydra 1.3.2 and OmegaConf 2.3.0 answer, for tests: the files of recorded/, or those of
// the folder that $MODELMETER_HYDRA_ANSWERS names (tools/hydra_cases/random_cases.py).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "config/repository.h"

namespace modelmeter::config {

using Reasons = std::map<std::string, const char*>;

// Where answers of other cases are; nullptr for those of the tree.
inline const char* other_answers() { return std::getenv("MODELMETER_HYDRA_ANSWERS"); }

// How many questions a file of the tree has at least.
inline size_t at_least(size_t questions) { return other_answers() != nullptr ? 0 : questions; }

inline std::ifstream open_answers(const char* name) {
  ::setenv("RECORD_ME", "[1, x]", 1);
  ::unsetenv("NOT_SET_HERE");
  const char* const folder = other_answers();
  std::ifstream in((folder ? std::string(folder) + "/" : MODELMETER_SOURCE_DIR "/src/config/recorded/") + name);
  if (folder != nullptr) return in;  // it may have some of the files only
  EXPECT_TRUE(in) << name;
  return in;
}

// One question, what it is asked of, and what the real program says.
struct Question {
  std::string name, text, answer;
  std::vector<std::pair<std::string, std::string>> parts;  // path and text of each document

  std::string title() const { return name + ": " + text; }
};

inline std::vector<Question> read_questions(const char* file) {
  std::ifstream in = open_answers(file);
  std::vector<Question> out;
  Question now;
  enum { nothing, part, answer } at = nothing;
  const auto flush = [&] {
    if (at == answer) out.push_back(now);
    now.answer.clear();
  };
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("=== ", 0) == 0) {
      flush();
      now = {line.substr(4), "", "", {}};
      at = nothing;
    } else if (line.rfind("---", 0) == 0) {
      flush();
      now.parts.emplace_back(line.size() > 4 ? line.substr(4) : "", "");
      at = part;
    } else if (line.rfind(">>>", 0) == 0) {
      flush();
      now.text = line.size() > 4 ? line.substr(4) : "";
      at = answer;
    } else if (at == part) {
      now.parts.back().second += line + "\n";
    } else if (at == answer && !line.empty()) {
      now.answer += line + "\n";
    }
  }
  flush();
  return out;
}

inline std::string indented(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
  return out;
}

// Hydra's first line must be ours, or begin it; "error" stands where its words are those of a library. Some are ours on
// purpose: of a wrong `override` those of Hydra 1.4, of an option of several the same as of one, and no Python classes.
inline bool says(const Error& error, const std::string& theirs) {
  if (theirs == "error\n") return true;
  std::string wanted = theirs.substr(theirs.find("error: ") + std::string("error: ").size());
  wanted.pop_back();
  if (const size_t more = wanted.find(". No match"); more != std::string::npos) wanted.resize(more);
  if (const size_t in_resolver = wanted.find(" raised while resolving interpolation: "); in_resolver < 20) {
    wanted.erase(0, wanted.find(": ") + 2);
    if (wanted[0] == '"') wanted = wanted.substr(1, wanted.size() - 2);
  }
  // The class of the error stands before what a function or a resolver says.
  if (const size_t of_function = wanted.find(" while evaluating '"); of_function < 20) wanted.erase(0, of_function + 1);
  const std::string& ours = error.message();
  const std::pair<const char*, const char*> same_meaning[] = {
      {"': Could not override '", "': Invalid Defaults List override '"},
      {"': Could not load '", "': Could not find '"},
      {"Cannot merge DictConfig with ListConfig", "Cannot merge ListConfig with DictConfig"},
      {"ConfigTypeError raised while composing config:", "Cannot merge "},
      {" is defined before ': ", " is defined before '"},
      {"Error resolving interpolation '", "Error resolving interpolation '"},
      {"Could not override 'a/b'", "looks like a config group override"},
      {"To override a value use 'override", "Multiple values for "},
      {"Missing mandatory value: hydra.job.num", "hydra.sweep.subdir has no value here"},
      {"no viable alternative at input", "expected "},
      {"ConfigKeyError raised while resolving interpolation: ", ": Key not found: '"},
      {"Key not found: '", ": Key not found: '"},
      {"maximum recursion depth exceeded", "Recursive interpolation detected"},
      {"Key 'True' is not in struct", "Key 'true' is not in struct"},
      {"Key 'False' is not in struct", "Key 'false' is not in struct"},
      {"` cannot be applied to objects of type: ", "', not a map"},
      {"` cannot be applied to objects of type: ", ", not a map"},
  };
  return ours.rfind(wanted, 0) == 0 ||
         std::any_of(std::begin(same_meaning), std::end(same_meaning), [&](const auto& pair) {
           return wanted.find(pair.first) != std::string::npos && ours.find(pair.second) != std::string::npos;
         });
}

// Runs a question; a wrong answer is a failure, unless it is listed.
class Answers {
 public:
  explicit Answers(const Reasons& deviations) : deviations_(deviations) {}
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
  ~Answers() {
    if (other_answers() != nullptr) return;
    EXPECT_EQ(deviating_, deviations_.size()) << "of the listed deviations some are not asked";
  }

  void compare(const std::string& title, const std::string& ours, const std::string& theirs, bool same) {
    if (deviations_.count(title) != 0) {
      ++deviating_;
      EXPECT_FALSE(same) << title << " does not deviate";
      return;
    }
    EXPECT_TRUE(same) << title << "\nours:\n" << ours << "recorded:\n" << theirs;
  }

 private:
  const Reasons& deviations_;
  size_t deviating_ = 0;
};

// Blocks of a composition's answer: "resolved:" and what follows is apart.
inline std::pair<std::string, std::string> split_resolved(const std::string& answer) {
  const size_t at = answer.find("resolved");
  if (at == std::string::npos || (at > 0 && answer[at - 1] != '\n')) return {answer, ""};
  return {answer.substr(0, at), answer.substr(at)};
}

inline std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(" | ", begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 3;
  }
  return out;
}

// The application of a question: its files, the name of the config that is asked for, and the words.
struct Asked {
  Repository repository;
  std::string name = "config";
  std::vector<std::string> words;

  explicit Asked(const Question& question) : repository(files_of(question), "conf"), words(words_of(question.text)) {
    if (const std::string flag = "--config-name="; !words.empty() && words[0].rfind(flag, 0) == 0) {
      name = words[0].substr(flag.size());
      words.erase(words.begin());
    }
  }

 private:
  static std::shared_ptr<const FileSystem> files_of(const Question& question) {
    std::map<std::string, std::string> files;
    for (const auto& [path, text] : question.parts) files["conf/" + path] = text;
    return std::make_shared<MemoryFileSystem>(files);
  }
};

}  // namespace modelmeter::config
