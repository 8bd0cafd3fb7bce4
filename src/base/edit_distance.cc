#include "base/edit_distance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace modelmeter {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Runs of letters and digits, in lower case.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  bool within = false;
  for (const char c : text) {
    const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (letter && !within) out.emplace_back();
    if (letter) out.back() += lower(c);
    within = letter;
  }
  return out;
}

// Whether words differ from others only as a misspelt word of letters does: a code ("t2v", "14b") is another code.
bool misspelt(const std::vector<std::string>& words, const std::vector<std::string>& others) {
  if (words.size() != others.size()) return false;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == others[i]) continue;
    const std::string both = words[i] + others[i];
    const size_t longer = std::max(words[i].size(), others[i].size());
    const bool letters = std::all_of(both.begin(), both.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
    if (!letters || longer < 3) return false;
    if (edit_distance(words[i], others[i]) > std::min(2, static_cast<int>(longer) / 3)) return false;
  }
  return true;
}

// The names without those that go on from another of them; none where that leaves too many to choose from.
std::vector<std::string> first_of_those_that_go_on(const std::vector<std::string>& begun) {
  std::vector<std::string> out;
  for (const std::string& name : begun) {
    const bool goes_on = std::any_of(begun.begin(), begun.end(), [&](const std::string& start) {
      return start.size() < name.size() && name.compare(0, start.size(), start) == 0;
    });
    if (!goes_on) out.push_back(name);
  }
  if (out.size() > most_begun) out.clear();
  return out;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  const size_t n = b.size();
  std::vector<int> before(n + 1), previous(n + 1), current(n + 1);
  for (size_t j = 0; j <= n; ++j) previous[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (size_t j = 1; j <= n; ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[n];
}

std::string nearest(std::string_view typed, const std::vector<std::string>& candidates) {
  constexpr size_t most = 200;  // what is longer is no misspelt name
  if (typed.size() > most) return "";
  const int limit = std::max(2, static_cast<int>(typed.size()) / 3);
  int best = limit + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 2 * most) continue;
    int distance = edit_distance(typed, candidate);
    // A name shorter than the limit would be "near" to everything.
    if (distance >= static_cast<int>(std::max(typed.size(), candidate.size()))) continue;
    if (typed.size() >= 3 && candidate.compare(0, typed.size(), typed) == 0) distance = std::min(distance, limit);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& candidates) {
  const std::string name = nearest(typed, candidates);
  return name.empty() ? "" : fmt::format("did you mean '{}'?", name);
}

std::vector<std::string> nearest_models(std::string_view typed, const std::vector<std::string>& candidates) {
  const std::vector<std::string> words = words_of(typed);
  const std::string bare = fmt::format("{}", fmt::join(words, ""));
  if (bare.empty()) return {};
  std::vector<std::string> begun;
  for (const std::string& candidate : candidates) {
    const std::string other = fmt::format("{}", fmt::join(words_of(candidate), ""));
    if (other == bare) return {candidate};
    if (bare.size() >= 3 && other.compare(0, bare.size(), bare) == 0) begun.push_back(candidate);
  }
  if (!begun.empty()) return first_of_those_that_go_on(begun);
  for (const std::string& candidate : candidates) {
    if (misspelt(words, words_of(candidate))) return {candidate};
  }
  return {};
}

std::string did_you_mean_model(std::string_view typed, const std::vector<std::string>& candidates) {
  const std::vector<std::string> near = nearest_models(typed, candidates);
  return near.empty() ? "" : fmt::format("did you mean '{}'?", fmt::join(near, "' or '"));
}

std::vector<std::string> model_notes(std::string_view typed, const std::vector<std::string>& candidates,
                                     std::string_view what) {
  std::vector<std::string> notes;
  if (std::string hint = did_you_mean_model(typed, candidates); !hint.empty()) notes.push_back(std::move(hint));
  if (!candidates.empty()) notes.push_back(fmt::format("{}: {}", what, fmt::join(candidates, ", ")));
  return notes;
}

std::vector<std::string> name_notes(std::string_view typed, const std::vector<std::string>& candidates,
                                    std::string_view what) {
  std::vector<std::string> notes;
  if (std::string hint = did_you_mean(typed, candidates); !hint.empty()) notes.push_back(std::move(hint));
  if (!candidates.empty()) notes.push_back(fmt::format("{}: {}", what, fmt::join(candidates, ", ")));
  return notes;
}

}  // namespace modelmeter
