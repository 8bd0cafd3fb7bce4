#include "model/deepseek_ocr/remote/routing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace modelmeter::deepseek_ocr::remote {
namespace {

// 64 (1 - (58/64)^n), in Python: [round(64 * (1 - (58/64)**n)) for n in (1, 2, 4, 8, 16, 32, 64, 128)].
TEST(Routing, ExpectsTheDistinctExpertsOfRandomChoices) {
  const std::vector<std::pair<int64_t, int64_t>> expected = {{1, 6},   {2, 11},  {4, 21},  {8, 35},
                                                             {16, 51}, {32, 61}, {64, 64}, {128, 64}};
  for (const auto& [tokens, experts] : expected) EXPECT_EQ(expected_experts(tokens, 6, 64), experts) << tokens;
}

using Counts = std::vector<int64_t>;

// Two of eight experts a token.
TEST(Routing, SpreadsAssignmentsOverTheExpertsItTouches) {
  EXPECT_EQ(tokens_per_expert(Routing::best, 5, 2, 8), (Counts{5, 5, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(tokens_per_expert(Routing::worst, 3, 2, 8), (Counts{1, 1, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(tokens_per_expert(Routing::worst, 5, 2, 8), (Counts{2, 2, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(tokens_per_expert(Routing::uniform, 1, 2, 8), (Counts{1, 1, 0, 0, 0, 0, 0, 0}));
  // 8 (1 - (6/8)^2) = 3.5, and 8 (1 - (6/8)^3) = 4.6
  EXPECT_EQ(tokens_per_expert(Routing::uniform, 2, 2, 8), (Counts{1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(tokens_per_expert(Routing::uniform, 3, 2, 8), (Counts{2, 1, 1, 1, 1, 0, 0, 0}));
}

TEST(Routing, EveryAssignmentIsSomewhere) {
  for (const Routing routing : {Routing::uniform, Routing::worst, Routing::best}) {
    for (const int64_t tokens : {1, 7, 100, 913}) {
      const Counts counts = tokens_per_expert(routing, tokens, 6, 64);
      EXPECT_EQ(counts.size(), 64u);
      EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}), tokens * 6);
      EXPECT_LE(*std::max_element(counts.begin(), counts.end()), tokens);  // a token takes an expert once
    }
  }
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::remote
