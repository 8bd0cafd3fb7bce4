#include "base/edit_distance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace modelmeter {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

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

std::vector<std::string> name_notes(std::string_view typed, const std::vector<std::string>& candidates,
                                    std::string_view what) {
  std::vector<std::string> notes;
  if (std::string hint = did_you_mean(typed, candidates); !hint.empty()) notes.push_back(std::move(hint));
  if (!candidates.empty()) notes.push_back(fmt::format("{}: {}", what, fmt::join(candidates, ", ")));
  return notes;
}

}  // namespace modelmeter
