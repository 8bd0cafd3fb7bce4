#include "model/deepseek_ocr/remote/routing.h"

#include <algorithm>
#include <cmath>

#include "model/deepseek_ocr/remote/decoder.h"

namespace modelmeter::deepseek_ocr::remote {

int64_t expected_experts(int64_t tokens, int64_t top_k, int64_t experts) {
  const double missed = 1.0 - static_cast<double>(top_k) / static_cast<double>(experts);
  return std::llround(static_cast<double>(experts) * (1.0 - std::pow(missed, static_cast<double>(tokens))));
}

std::vector<int64_t> tokens_per_expert(Routing routing, int64_t tokens, int64_t top_k, int64_t experts) {
  const int64_t most = std::min(experts, tokens * top_k);
  int64_t touched = most;
  if (routing == Routing::best) touched = top_k;
  if (routing == Routing::uniform) touched = std::clamp(expected_experts(tokens, top_k, experts), top_k, most);
  std::vector<int64_t> out = even_routing(tokens * top_k, touched);
  out.resize(static_cast<size_t>(experts), 0);
  return out;
}

}  // namespace modelmeter::deepseek_ocr::remote
