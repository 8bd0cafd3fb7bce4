#include "sweep/job_key.h"

#include <fmt/format.h>

#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "config/scalar.h"

namespace modelmeter {
namespace {

void add_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

void add_value(const config::Node& value, std::string& out) {
  switch (value.kind()) {
    case config::Kind::string: return add_quoted(value.as_string(), out);
    case config::Kind::null: out += "null"; return;
    case config::Kind::missing: out += "???"; return;
    case config::Kind::list: {
      out += '[';
      for (const config::Node& item : value.items()) {
        if (out.back() != '[') out += ", ";
        add_value(item, out);
      }
      out += ']';
      return;
    }
    case config::Kind::map: {
      out += '{';
      for (const config::Entry& entry : value.entries()) {
        if (out.back() != '{') out += ", ";
        add_quoted(entry.key.text, out);
        out += ": ";
        add_value(entry.value, out);
      }
      out += '}';
      return;
    }
    default: out += config::python_str(value);
  }
}

void add_lines(const config::Node& node, const std::string& path, std::vector<CanonicalLine>& out) {
  if (!node.is(config::Kind::map) || node.entries().empty()) {
    out.push_back({path, canonical_line(path, node)});
    return;
  }
  for (const config::Entry& entry : node.entries()) {
    if (path.empty() && entry.key.text == "report") continue;
    add_lines(entry.value, path.empty() ? entry.key.text : fmt::format("{}.{}", path, entry.key.text), out);
  }
}

// The finalizer of MurmurHash3.
uint64_t mixed(uint64_t value) {
  value ^= value >> 33U;
  value *= 0xff51afd7ed558ccdU;
  value ^= value >> 33U;
  value *= 0xc4ceb9fe1a85ec53U;
  return value ^ (value >> 33U);
}

uint64_t hash_with(std::string_view text, uint64_t seed) {
  uint64_t hash = mixed(seed ^ text.size());
  for (size_t i = 0; i < text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, std::min<size_t>(8, text.size() - i));
    hash = mixed((hash ^ word) * 0x9e3779b97f4a7c15U + seed);
  }
  return hash;
}

}  // namespace

std::vector<CanonicalLine> canonical_lines(const config::Node& resolved) {
  std::vector<CanonicalLine> out;
  add_lines(resolved, "", out);
  return out;
}

std::string canonical_line(std::string_view key, const config::Node& value) {
  std::string out(key);
  out += ": ";
  add_value(value, out);
  return out;
}

std::string canonical_text(const std::vector<CanonicalLine>& lines) {
  std::string out;
  for (const CanonicalLine& line : lines) out += line.text + "\n";
  return out;
}

JobHash hash_of_line(std::string_view line) {
  return JobHash{hash_with(line, 0x243f6a8885a308d3U)} << 64U | hash_with(line, 0x13198a2e03707344U);
}

JobHash hash_of_lines(const std::vector<CanonicalLine>& lines) {
  JobHash out = 0;
  for (const CanonicalLine& line : lines) out += hash_of_line(line.text);
  return out;
}

std::string bytes_of(JobHash hash) {
  std::string out(16, '\0');
  for (size_t i = 16; i-- > 0; hash >>= 8U) out[i] = static_cast<char>(static_cast<unsigned char>(hash));
  return out;
}

std::string hex_of(JobHash hash) {
  return fmt::format("{:016x}{:016x}", static_cast<uint64_t>(hash >> 64U), static_cast<uint64_t>(hash));
}

std::string changes_of(const std::vector<CanonicalLine>& base, const std::vector<CanonicalLine>& lines) {
  std::unordered_map<std::string_view, std::string_view> known;
  for (const CanonicalLine& line : base) known.emplace(line.key, line.text);
  std::unordered_set<std::string_view> here;
  std::string out;
  for (const CanonicalLine& line : lines) {
    here.insert(line.key);
    const auto there = known.find(line.key);
    if (there == known.end() || there->second != line.text) out += line.text + "\n";
  }
  for (const CanonicalLine& line : base) {
    if (here.count(line.key) == 0) out += "-" + line.key + "\n";
  }
  return out;
}

}  // namespace modelmeter
