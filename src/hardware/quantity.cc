#include "hardware/quantity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/edit_distance.h"

namespace modelmeter {
namespace {

// YYYY, YYYY-MM or YYYY-MM-DD.
bool is_date(const std::string& text) {
  if (text.size() != 4 && text.size() != 7 && text.size() != 10) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 4 || i == 7;
    if (dash ? text[i] != '-' : std::isdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

// A year alone is an integer in YAML.
std::string date_of(const config::View& source) {
  const config::View date = source.at("date");
  const std::string text =
      date.node().is(config::Kind::integer) ? std::to_string(date.as<int64_t>()) : date.as<std::string>();
  if (!is_date(text)) throw date.expected("a date (YYYY, YYYY-MM or YYYY-MM-DD)");
  return text;
}

}  // namespace

std::vector<Source> read_sources(const config::View& file) {
  const config::View list = file.child("sources");
  std::vector<Source> out;
  for (const std::string& key : list.keys()) {
    const config::View source = list.child(key);
    source.require_known_keys({"title", "date", "kind"});
    out.push_back({key, source.get<std::string>("title"), date_of(source),
                   source.get_choice("kind", {"specification", "measured", "fitted"})});
    if (out.back().title.empty()) throw source.at("title").expected("a title");
  }
  return out;
}

Quantity read_quantity(const config::View& parent, std::string_view key, Dimension dimension,
                       const std::vector<Source>& sources, const std::vector<std::string>& more) {
  const config::View view = parent.child(key);
  std::vector<std::string> known = {"value", "unit", "source"};
  known.insert(known.end(), more.begin(), more.end());
  view.require_known_keys(known);
  Quantity out;
  out.value = view.get_positive<double>("value");
  if (!std::isfinite(out.value)) throw view.at("value").expected("a finite number");
  if (dimension != Dimension::number || view.has("unit")) {
    const std::string unit = view.get<std::string>("unit");
    const double factor = factor_of(unit, dimension);
    if (factor == 0) {
      throw view.at("unit").error(fmt::format("'{}' is no unit of {}", unit, name_of(dimension)),
                                  {fmt::format("units: {}", fmt::join(units_of(dimension), ", "))});
    }
    out.value *= factor;
  }
  out.source = view.get<std::string>("source");
  const bool listed =
      std::any_of(sources.begin(), sources.end(), [&](const Source& source) { return source.key == out.source; });
  if (!listed) {
    std::vector<std::string> names;
    for (const Source& source : sources) names.push_back(source.key);
    throw view.at("source").error(fmt::format("no source '{}' in this file", out.source),
                                  name_notes(out.source, names, "sources"));
  }
  return out;
}

Quantity read_optional_quantity(const config::View& parent, std::string_view key, Dimension dimension,
                                const std::vector<Source>& sources) {
  if (!parent.has(key)) return {};
  return read_quantity(parent, key, dimension, sources);
}

}  // namespace modelmeter
