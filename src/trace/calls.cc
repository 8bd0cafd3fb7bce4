#include "trace/calls.h"

#include <mutex>
#include <string>
#include <unordered_map>

namespace modelmeter {

void Calls::add(const CallKey& key, const TensorMeta& result) {
  const auto function = static_cast<size_t>(key.function);
  if (function >= newest_.size()) newest_.resize(function + 1);
  Newest& newest = newest_[function];
  const int32_t older = newest.round == round_ ? newest.at : -1;
  newest = {round_, static_cast<int32_t>(known_.size())};
  known_.push_back({key, &result, older});
}

int32_t structure_id(const std::string& text) {
  static std::mutex mutex;
  static std::unordered_map<std::string, int32_t> ids;
  const std::lock_guard<std::mutex> lock(mutex);
  return ids.try_emplace(text, static_cast<int32_t>(ids.size())).first->second;
}

}  // namespace modelmeter
