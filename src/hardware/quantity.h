// A figure of a file of configs/device, configs/host or configs/stack, with where it is from:
//
//   sources:
//     sheet: {title: "NVIDIA H100 datasheet", date: 2023-03, kind: specification}
//   memory_bandwidth: {value: 3350, unit: GB/s, source: sheet}
//
// `kind` is specification, measured or fitted. A figure without a source, with a source that the file does not list, or
// in a unit of another kind is an error at its line. Values are above 0.
#pragma once

#include <string>
#include <vector>

#include "config/access.h"
#include "hardware/units.h"

namespace modelmeter {

struct Source {
  std::string key, title, date, kind;
};

struct Quantity {
  double value = 0;    // in base units; 0 where the file does not give it
  std::string source;  // the key of a Source

  bool known() const { return value > 0; }
};

// The list of sources of a file. Error at what is missing, at a date that is no YYYY, YYYY-MM or YYYY-MM-DD, and at
// another kind.
std::vector<Source> read_sources(const config::View& file);

// The figure at a key, which must be there. Keys of `more` may stand beside value, unit and source.
Quantity read_quantity(const config::View& parent, std::string_view key, Dimension dimension,
                       const std::vector<Source>& sources, const std::vector<std::string>& more = {});
// The same of a key that may be absent or null.
Quantity read_optional_quantity(const config::View& parent, std::string_view key, Dimension dimension,
                                const std::vector<Source>& sources);

}  // namespace modelmeter
