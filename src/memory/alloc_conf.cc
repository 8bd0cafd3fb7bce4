#include "memory/alloc_conf.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "base/edit_distance.h"
#include "base/error.h"

namespace modelmeter {
namespace {

constexpr int64_t mebibyte = int64_t{1} << 20;

int64_t whole_number(const std::string& key, const std::string& text) {
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < 0 || out > (int64_t{1} << 30)) {
    throw Error(fmt::format("{}: expected a whole number, got '{}'", key, text));
  }
  return out;
}

void set(const std::string& key, const std::string& value, AllocatorSettings& out) {
  if (key == "expandable_segments") {
    if (value != "True" && value != "False")
      throw Error(fmt::format("{}: expected True or False, got '{}'", key, value));
    out.expandable_segments = value == "True";
  } else if (key == "max_split_size_mb") {
    const int64_t size = whole_number(key, value);
    if (size <= 20) throw Error(fmt::format("{}: {} is too small, it must be above 20", key, size));
    out.max_split_size = size * mebibyte;
  } else if (key == "roundup_power2_divisions") {
    if (value.find('[') == 0) throw Error(fmt::format("{}: divisions by size are not modelled, one number is", key));
    const int64_t divisions = whole_number(key, value);
    if (!std::has_single_bit(static_cast<uint64_t>(divisions))) {
      throw Error(fmt::format("{}: {} is no power of two", key, divisions));
    }
    out.roundup_power2_divisions = divisions;
  } else if (key == "garbage_collection_threshold" || key == "backend") {
    throw Error(fmt::format("{} is not modelled", key));
  } else {
    throw Error(fmt::format("PYTORCH_CUDA_ALLOC_CONF has no '{}' that is modelled", key), {},
                name_notes(key, {"expandable_segments", "max_split_size_mb", "roundup_power2_divisions"}, "modelled"));
  }
}

}  // namespace

AllocatorSettings parse_alloc_conf(const std::string& text) {
  AllocatorSettings out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t colon = part.find(':');
    if (colon == std::string::npos) {
      throw Error(fmt::format("'{}': expected KEY:VALUE", part), {}, {"for example max_split_size_mb:128"});
    }
    set(part.substr(0, colon), part.substr(colon + 1), out);
    begin = end + 1;
  }
  return out;
}

}  // namespace modelmeter
