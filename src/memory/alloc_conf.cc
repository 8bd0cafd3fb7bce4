#include "memory/alloc_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>
#include <vector>

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

int64_t size_of_at_least(int64_t least, const std::string& key, const std::string& text) {
  const int64_t size = whole_number(key, text);
  if (size < least) throw Error(fmt::format("{}: {} is too small, it must be at least {}", key, size, least));
  return size * mebibyte;
}

// Between 0 and 1; the ends are refused where `open`.
double share(const std::string& key, const std::string& text, bool open) {
  double out = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || !(out >= 0 && out <= 1) || (open && (out == 0 || out == 1))) {
    throw Error(fmt::format("{}: expected a number {}, got '{}'", key, open ? "between 0 and 1" : "from 0 to 1", text));
  }
  return out;
}

int64_t power_of_two(const std::string& key, const std::string& text, const char* what) {
  const int64_t out = whole_number(key, text);
  if (!std::has_single_bit(static_cast<uint64_t>(out)))
    throw Error(fmt::format("{}: {} {} is no power of two", key, what, out));
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && depth == 0) {
      out.emplace_back();
    } else if (c != ' ') {
      out.back() += c;
    }
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

std::pair<std::string, std::string> key_and_value(const std::string& part) {
  const size_t colon = part.find(':');
  if (colon == std::string::npos) {
    throw Error(fmt::format("'{}': expected KEY:VALUE", part), {}, {"for example max_split_size_mb:128"});
  }
  return {part.substr(0, colon), part.substr(colon + 1)};
}

// "8", or by the size of the request "[256:1,512:2,>:8]": from so many MiB to twice as many, the first also of what is
// smaller, and ">" of all that are larger than the one before it.
void set_divisions(const std::string& key, const std::string& value, AllocatorSettings& out) {
  auto& by_power = out.roundup_power2_divisions;
  if (value.empty() || value.front() != '[') {
    by_power.fill(power_of_two(key, value, "the number"));
    return;
  }
  if (value.back() != ']') throw Error(fmt::format("{}: '{}' is not closed", key, value));
  size_t next = 1;  // behind the last size; ">" alone leaves the first as it is
  bool first = true;
  for (const std::string& part : split(value.substr(1, value.size() - 2))) {
    const auto [size, number] = key_and_value(part);
    const int64_t divisions = number == "0" ? 0 : power_of_two(key, number, "the number");
    if (size == ">") {
      std::fill(by_power.begin() + static_cast<std::ptrdiff_t>(next), by_power.end(), divisions);
      continue;
    }
    const auto log2 =
        static_cast<size_t>(std::bit_width(static_cast<uint64_t>(power_of_two(key, size, "the size"))) - 1);
    const size_t at = std::min(log2, by_power.size() - 1);
    if (first) std::fill_n(by_power.begin(), at, divisions);
    by_power[at] = divisions;
    next = at + 1;
    first = false;
  }
}

const std::vector<std::string> modelled = {"expandable_segments",
                                           "max_split_size_mb",
                                           "max_non_split_rounding_mb",
                                           "roundup_power2_divisions",
                                           "garbage_collection_threshold",
                                           "per_process_memory_fraction",
                                           "backend"};

void set(const std::string& key, const std::string& value, AllocatorSettings& out) {
  if (key == "expandable_segments") {
    if (value != "True" && value != "False")
      throw Error(fmt::format("{}: expected True or False, got '{}'", key, value));
    out.expandable_segments = value == "True";
  } else if (key == "max_split_size_mb") {
    out.max_split_size = size_of_at_least(20, key, value);
  } else if (key == "max_non_split_rounding_mb") {
    out.max_non_split_rounding = size_of_at_least(21, key, value);
  } else if (key == "roundup_power2_divisions") {
    set_divisions(key, value, out);
  } else if (key == "garbage_collection_threshold") {
    out.garbage_collection_threshold = share(key, value, true);
  } else if (key == "per_process_memory_fraction") {
    out.memory_fraction = share(key, value, false);
    if (out.memory_fraction == 0) throw Error(fmt::format("{}: 0 leaves no room for anything", key));
  } else if (key == "backend") {
    if (value == "cudaMallocAsync") throw Error("backend: cudaMallocAsync is the driver's allocator, not modelled");
    if (value != "native") throw Error(fmt::format("backend: expected native or cudaMallocAsync, got '{}'", value));
  } else {
    throw Error(fmt::format("PYTORCH_CUDA_ALLOC_CONF has no '{}' that is modelled", key), {},
                name_notes(key, modelled, "modelled"));
  }
}

}  // namespace

AllocatorSettings parse_alloc_conf(const std::string& text) {
  AllocatorSettings out;
  for (const std::string& part : split(text)) {
    const auto [key, value] = key_and_value(part);
    set(key, value, out);
  }
  return out;
}

}  // namespace modelmeter
