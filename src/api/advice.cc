#include "api/advice.h"

#include <algorithm>

namespace modelmeter {
namespace {

// "+a.b=1" of a note that advises to append it; "" of another note.
std::string advised(const std::string& note) {
  for (const std::string start : {"To append to your config use ", "To append to your default list use "}) {
    if (note.compare(0, start.size() + 1, start + "+") == 0) return note.substr(start.size());
  }
  return "";
}

constexpr char unknown[] = "unknown key";

// What is said of the overrides with the advice followed; "" where they run.
std::string refusal(const std::string& appended, std::vector<std::string> overrides,
                    const std::function<void(const std::vector<std::string>&)>& run) {
  if (appended.compare(0, 8, "+report.") == 0) return unknown;  // configs/report has all keys that there are
  std::replace(overrides.begin(), overrides.end(), appended.substr(1), appended);
  try {
    run(overrides);
    return "";
  } catch (const Error& error) {
    // Of another word: it says nothing of this one.
    const std::string& wrong = error.span().text;
    const bool is_other = wrong != appended && std::find(overrides.begin(), overrides.end(), wrong) != overrides.end();
    return is_other ? unknown : error.message();
  }
}

// Whether an error was found together with another one.
bool says_already(const Error& error, const Error& other) {
  return std::any_of(error.notes().begin(), error.notes().end(),
                     [&](const std::string& note) { return note.find(other.message() + "\n") != std::string::npos; });
}

}  // namespace

Error without_vain_advice(const Error& error, const std::vector<std::string>& overrides,
                          const std::function<void(const std::vector<std::string>&)>& run) {
  std::vector<std::string> notes;
  for (const std::string& note : error.notes()) {
    const std::string appended = advised(note);
    const std::string refused = appended.empty() ? "" : refusal(appended, overrides, run);
    if (refused.empty()) {
      notes.push_back(note);
    } else if (refused.find(unknown) == std::string::npos && refused.find("' not in '") == std::string::npos) {
      notes.push_back(refused);  // it is known, and why it cannot be set
    }
  }
  return Error(error.code(), error.message(), error.span(), std::move(notes));
}

Error with_errors_of_other_words(const Error& error, std::vector<std::string> overrides,
                                 const std::function<void(const std::vector<std::string>&)>& run) {
  constexpr size_t most_shown = 5;
  Error out = error;
  std::string wrong = error.span().text;
  for (size_t shown = 1; shown < most_shown; ++shown) {
    const auto word = std::find(overrides.begin(), overrides.end(), wrong);
    if (word == overrides.end()) break;
    overrides.erase(word);
    try {
      run(overrides);
      break;
    } catch (const Error& next) {
      wrong = next.span().text;
      if (std::find(overrides.begin(), overrides.end(), wrong) == overrides.end()) break;
      if (says_already(out, next)) continue;
      const Error brief = without_vain_advice(next, overrides, run);
      out = out.with_note(std::string(brief.what()).substr(std::string_view("error: ").size()));
    }
  }
  return out;
}

}  // namespace modelmeter
