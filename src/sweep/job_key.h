// What a job of a sweep is known by: its resolved configuration as a canonical text, a line for each value ("key:
// value", texts in quotes), and the hash of it. The order of the lines does not matter: the hash is the sum of the
// lines', so that of a job that differs from another in a few values it takes those lines alone.
//
// What says where reports go (`report`) is no part of it. 128 bits: of 10^12 different jobs two have one key with a
// probability of 10^-15.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/count.h"
#include "config/node.h"

namespace modelmeter {

__extension__ using JobHash = unsigned __int128;

// "workload.height: 720"
struct CanonicalLine {
  std::string key;
  std::string text;  // whole
};

std::vector<CanonicalLine> canonical_lines(const config::Node& resolved);
// Of one value.
std::string canonical_line(std::string_view key, const config::Node& value);
std::string canonical_text(const std::vector<CanonicalLine>& lines);

JobHash hash_of_line(std::string_view line);
JobHash hash_of_lines(const std::vector<CanonicalLine>& lines);
std::string bytes_of(JobHash hash);  // 16
std::string hex_of(JobHash hash);    // 32 digits

// What is other than in `base`: lines of `lines` that are not in it, and "-key" of what it has more.
std::string changes_of(const std::vector<CanonicalLine>& base, const std::vector<CanonicalLine>& lines);

}  // namespace modelmeter
