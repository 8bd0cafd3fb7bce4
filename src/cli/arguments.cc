#include "cli/arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "base/edit_distance.h"
#include "base/error.h"
#include "cli/setting_notes.h"

namespace modelmeter::cli {
namespace {

const Flag* find(const std::vector<Flag>& flags, const std::string& name) {
  for (const Flag& flag : flags) {
    if (name == flag.name || (!flag.brief.empty() && name == flag.brief)) return &flag;
  }
  return nullptr;
}

// "[all|config]": one of these may follow.
bool is_among(const std::string& choices, const std::string& word) {
  return word.find_first_of("|[]") == std::string::npos &&
         ("|" + choices.substr(1, choices.size() - 2) + "|").find("|" + word + "|") != std::string::npos;
}

// Settings are meant only where options come near none: --cfgg is no setting.
[[noreturn]] void fail_unknown(const std::vector<std::string>& arguments, size_t at, const std::vector<Flag>& flags) {
  const std::string name = arguments[at].substr(0, arguments[at].find('='));
  std::vector<std::string> known;
  for (const Flag& flag : flags) known.push_back(flag.name);
  std::vector<std::string> notes;
  if (find(flags, "--config-name") != nullptr && did_you_mean(name, known).empty()) {
    notes = setting_notes(arguments[at], at + 1 < arguments.size() ? arguments[at + 1] : "", arguments);
  }
  if (notes.empty()) notes = name_notes(name, known, "options");
  throw Error(ErrorCode::usage, fmt::format("unknown option '{}'", name), {}, std::move(notes));
}

bool is_flag(const std::string& argument) { return argument.size() > 1 && argument[0] == '-'; }

}  // namespace

Arguments::Arguments(const std::vector<std::string>& arguments, const std::vector<Flag>& flags) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!is_flag(argument)) {
      rest_.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const Flag* flag = find(flags, name);
    if (flag == nullptr) {
      fail_unknown(arguments, i, flags);
    }
    std::string value;
    if (flag->value.empty()) {
      if (equals != std::string::npos) {
        throw Error(ErrorCode::usage, fmt::format("{} takes no value", flag->name));
      }
    } else if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() && (flag->value[0] != '[' || is_among(flag->value, arguments[i + 1]))) {
      value = arguments[++i];
    }
    if (!flag->value.empty() && flag->value[0] != '[' && value.empty()) {
      throw Error(ErrorCode::usage, fmt::format("{} needs a value: {} {}", flag->name, flag->name, flag->value));
    }
    given_.emplace_back(flag->name, std::move(value));
  }
}

bool Arguments::has(const std::string& flag) const {
  for (const auto& [name, value] : given_) {
    if (name == flag) return true;
  }
  return false;
}

std::string Arguments::value(const std::string& flag, const std::string& otherwise) const {
  const std::vector<std::string> all = values(flag);
  if (all.size() > 1) throw Error(ErrorCode::usage, fmt::format("{} is given {} times", flag, all.size()));
  return all.empty() ? otherwise : all.front();
}

std::vector<std::string> Arguments::values(const std::string& flag) const {
  std::vector<std::string> out;
  for (const auto& [name, value] : given_) {
    if (name == flag) out.push_back(value);
  }
  return out;
}

FilesAndWords files_and_words(const std::vector<std::string>& rest) {
  FilesAndWords out;
  for (const std::string& text : rest) {
    std::error_code ignored;
    const bool is_word = text.find('=') != std::string::npos || text[0] == '~';
    (is_word && !std::filesystem::exists(text, ignored) ? out.words : out.files).push_back(text);
  }
  return out;
}

size_t count_of(const Arguments& arguments, const char* flag, size_t otherwise) {
  const std::string text = arguments.value(flag);
  if (text.empty()) return otherwise;
  size_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out == 0) {
    throw Error(ErrorCode::usage, fmt::format("{} takes a number above 0, not '{}'", flag, text));
  }
  return out;
}

}  // namespace modelmeter::cli
