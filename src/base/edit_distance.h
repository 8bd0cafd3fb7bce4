// "did you mean": the nearest of a set of names to what a user typed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace modelmeter {

// Damerau-Levenshtein distance (adjacent transpositions count 1), case-insensitive.
int edit_distance(std::string_view a, std::string_view b);

// The nearest candidate within a third of the typed length (at least 2), or one that has `typed` as a prefix of at
// least three letters; "" if there is none. Ties go to the candidate that comes first.
std::string nearest(std::string_view typed, const std::vector<std::string>& candidates);

// "did you mean 'x'?", or "" where nothing is near.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& candidates);

// The same for names of which one letter says another thing, models, variants and presets ("s2v" is no misspelt "t2v"):
// the candidate that `typed` is but for case and separators; else those that it begins, of which one that another goes
// on from stands for both; else the one that differs in words of letters alone, by one edit in three letters and two at
// most. Empty where there is none, and where `typed` begins more than `most_begun`.
inline constexpr size_t most_begun = 4;
std::vector<std::string> nearest_models(std::string_view typed, const std::vector<std::string>& candidates);

// "did you mean 'x'?", "did you mean 'x' or 'y'?", or "" where nothing is near.
std::string did_you_mean_model(std::string_view typed, const std::vector<std::string>& candidates);

// The notes an error about an unknown name carries: did_you_mean if there is one, and the allowed names.
std::vector<std::string> name_notes(std::string_view typed, const std::vector<std::string>& candidates,
                                    std::string_view what = "available");
std::vector<std::string> model_notes(std::string_view typed, const std::vector<std::string>& candidates,
                                     std::string_view what = "available");

}  // namespace modelmeter
