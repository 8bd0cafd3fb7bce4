// How many tokens each expert gets in a forward. Which experts a router takes depends on the data; what a forward costs
// depends on how many of them it touches, since each is read once however many tokens it gets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modelmeter::deepseek_ocr::remote {

enum class Routing : uint8_t {
  uniform,  // as many experts as are expected where each token takes top_k of them at random
  worst,    // as many as can be: all, or top_k for each token
  best,     // as few as can be: every token takes the same top_k
};

// E (1 - (1 - k / E)^n): the expected number of distinct experts of E that n tokens touch, k each, to the nearest
// integer.
int64_t expected_experts(int64_t tokens, int64_t top_k, int64_t experts);

// tokens x top_k assignments spread evenly over the experts that are touched, the first of all.
std::vector<int64_t> tokens_per_expert(Routing routing, int64_t tokens, int64_t top_k, int64_t experts);

}  // namespace modelmeter::deepseek_ocr::remote
