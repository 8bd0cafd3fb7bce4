#include "cli/forerunner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace modelmeter::cli {
namespace {

// A flag with a value, and the override that stands for it.
struct Translation {
  std::string_view flag, override;
};
constexpr Translation translations[] = {{"--workload-profile-id", "workload="},
                                        {"--run-id", "report.run_id="},
                                        {"--base-size", "workload.base_size="},
                                        {"--image-size", "workload.image_size="}};
constexpr std::string_view overrides_node = "workload.overrides.";
constexpr std::string_view pipeline_suffix = "_pipeline";

// As a shell reads it.
std::string quoted(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("-_./=+:,@%").find(c) < 11;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  return "'" + word + "'";
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// The words of the command as it is typed here, and the first that was the forerunner's.
class Answer {
 public:
  explicit Answer(const std::vector<std::string>& words) {
    for (size_t i = 0; i < words.size(); ++i) i += take(words, i);
    if (pipeline_) name_pipeline();
  }
  const std::string& first() const { return first_; }
  std::string command() const {
    std::string out = "modelmeter";
    for (const std::string& word : words_) out += " " + quoted(word);
    return out;
  }

 private:
  void found(const std::string& word) {
    if (first_.empty()) first_ = word;
  }

  // The number of words that follow and belong to it.
  size_t take(const std::vector<std::string>& words, size_t i) {
    const std::string& word = words[i];
    const std::string name = word.substr(0, word.find('='));
    for (const auto& [flag, override] : translations) {
      if (name != flag) continue;
      const bool joined = word.size() > name.size();
      if (!joined && i + 1 == words.size()) return 0;
      found(name);
      words_.push_back(std::string(override) + (joined ? word.substr(name.size() + 1) : words[i + 1]));
      return joined ? 0 : 1;
    }
    if (word == "--pipeline") {
      found(word);
      pipeline_ = true;
    } else if (word == "--crop-mode" || word == "--no-crop-mode") {
      found(word);
      words_.emplace_back(word == "--crop-mode" ? "workload.crop_mode=true" : "workload.crop_mode=false");
    } else if (const size_t key = word.find_first_not_of('+');
               word.compare(std::min(key, word.size()), overrides_node.size(), overrides_node) == 0) {
      found(std::string(overrides_node) + "…");
      words_.push_back("workload." + word.substr(key + overrides_node.size()));
    } else {
      words_.push_back(word);
    }
    return 0;
  }

  // The entry of the whole pipeline stands beside that of the transformer alone.
  void name_pipeline() {
    for (size_t i = 0; i < words_.size(); ++i) {
      for (const std::string_view flag : {"--config-name", "-cn"}) {
        std::string* name = nullptr;
        if (words_[i] == flag && i + 1 < words_.size()) name = &words_[i + 1];
        if (words_[i].compare(0, flag.size() + 1, std::string(flag) + "=") == 0) name = &words_[i];
        if (name != nullptr && name->find("wan") != std::string::npos && !ends_with(*name, pipeline_suffix)) {
          *name += pipeline_suffix;
        }
      }
    }
  }

  std::vector<std::string> words_;
  std::string first_;
  bool pipeline_ = false;
};

}  // namespace

void answer_forerunner(const std::vector<std::string>& arguments) {
  const Answer answer(arguments);
  if (answer.first().empty()) return;
  throw Error(ErrorCode::usage, fmt::format("{} is of the Python ModelMeter", answer.first()), {},
              {"here it is: " + answer.command(), "docs/forerunner.md has the other commands"});
}

}  // namespace modelmeter::cli
