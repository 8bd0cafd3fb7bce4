#include "verify/launch_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "verify/csv.h"

namespace modelmeter {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  return out;
}

// A list of shapes; one of lists of shapes (cat's) is their concatenation.
bool add_shapes(const Json& json, std::vector<std::vector<int64_t>>& out) {
  if (!json.is_array()) return false;
  const bool is_shape = std::all_of(json.begin(), json.end(), [](const Json& n) { return n.is_number_integer(); });
  if (is_shape) {
    out.push_back(json.get<std::vector<int64_t>>());
    return true;
  }
  return std::all_of(json.begin(), json.end(), [&](const Json& item) { return add_shapes(item, out); });
}

}  // namespace

std::vector<MeasuredLaunch> read_launch_file(const std::string& path) {
  const CsvTable table(path);
  table.expect_columns({"op", "module", "shapes", "dtypes", "us", "kernels"}, "a file of launches");
  std::vector<MeasuredLaunch> out;
  for (size_t row = 0; row < table.rows(); ++row) {
    const auto fail = [&](const char* what) { return Error(fmt::format("{}: row {}: {}", path, row + 1, what)); };
    MeasuredLaunch launch;
    constexpr std::string_view prefix = "aten.";
    launch.op = table.text(row, "op");
    if (launch.op.rfind(prefix, 0) == 0) launch.op.erase(0, prefix.size());
    launch.module = table.text(row, "module");
    const std::string& shapes_text = table.text(row, "shapes");
    const Json shapes = parse_json(shapes_text.empty() ? "[]" : shapes_text);
    if (shapes.is_discarded() || !shapes.is_array()) throw fail("shapes are no list");
    for (const Json& shape : shapes) {
      if (!add_shapes(shape, launch.shapes)) throw fail("a shape is no list of sizes");
    }
    launch.dtypes = words(table.text(row, "dtypes"));
    launch.us = table.number(row, "us");
    if (!(launch.us >= 0)) throw fail("us is no time");
    launch.kernels = table.text(row, "kernels");
    out.push_back(std::move(launch));
  }
  return out;
}

}  // namespace modelmeter
