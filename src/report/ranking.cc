#include "report/ranking.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/format.h"

namespace modelmeter {
namespace {

// Of a group of equal layers that stands below a node with the count of all: how many the group has.
std::optional<int64_t> layers_of(const AnalyticModuleNode& node) {
  for (const auto& [name, value] : node.constructor_params) {
    if (name == "layers" && std::holds_alternative<int64_t>(value)) return std::get<int64_t>(value);
  }
  return std::nullopt;
}

// Nodes whose groups below say how many layers they are, so that no path counts a layer twice.
std::set<std::string> counted_below(const Report& report) {
  std::set<std::string> out;
  std::map<std::string, std::optional<std::string>> parent;
  for (const AnalyticModuleNode& node : report.modules) {
    parent[node.module_id] = node.parent_id;
    if (!layers_of(node)) continue;
    for (std::optional<std::string> id = node.parent_id; id; id = parent[*id]) out.insert(*id);
  }
  return out;
}

}  // namespace

const RankKey& rank_key(const std::string& name) {
  std::vector<std::string> known;
  for (const RankKey& key : rank_keys) {
    if (name == key.name) return key;
    known.emplace_back(key.name);
  }
  throw Error(ErrorCode::usage, fmt::format("--by {}: layers are not ranked by that", name), {},
              name_notes(name, known, "keys"));
}

std::string rank_key_names() {
  std::string out;
  for (const RankKey& key : rank_keys) out += (out.empty() ? "" : "|") + std::string(key.name);
  return out;
}

const FigureRow& figure_row(const char* name) {
  for (const FigureRow& row : figure_rows) {
    if (std::string_view(row.name) == name) return row;
  }
  throw Error(ErrorCode::internal, fmt::format("there is no figure {}", name));
}

std::vector<const FigureRow*> figures_of(const RankKey& key) {
  std::vector<const FigureRow*> out;
  for (const char* name : key.figures) {
    if (name != nullptr) out.push_back(&figure_row(name));
  }
  return out;
}

bool ranks_before(const RankKey& key, const Figures& a, const Figures& b) {
  for (const int i : {0, 1}) {
    const FigureRow& row = figure_row(key.figures[i]);
    const Count of_a = row.get(a).value_or(0), of_b = row.get(b).value_or(0);
    if (of_a != of_b) return of_a > of_b;
  }
  return false;
}

bool ranks_before(const RankKey& key, const Figures& a, double time_a, const Figures& b, double time_b) {
  if (key.by_time && time_a != time_b) return time_a > time_b;
  return ranks_before(key, a, b);
}

void expect_times(const Report& report) {
  if (report.timing) return;
  throw Error(fmt::format("{} has no times", report.report_id), {}, {"analyze with device=NAME gives it some"});
}

std::string share_text(const FigureRow& row, const Figures& part, const Figures& whole) {
  const Count all = row.get(whole).value_or(0);
  if (all == 0 || !row.additive) return "-";
  return percent_text(static_cast<double>(row.get(part).value_or(0)) / static_cast<double>(all));
}

std::string label_of(const std::string& name, int64_t count) {
  if (count <= 1) return name;
  const size_t digits = name.find_last_not_of("0123456789");
  const bool numbered = digits != std::string::npos && digits + 1 < name.size() && digits > 0 && name[digits] == '_';
  return fmt::format("{} x {}", numbered ? name.substr(0, digits) : name, count);
}

std::vector<std::string> labels(const Report& report) {
  std::vector<std::string> out;
  std::map<std::string, std::string> known;  // by id; parents stand before children
  const std::set<std::string> of_groups = counted_below(report);
  for (const AnalyticModuleNode& node : report.modules) {
    // The part of the id below the parent's: an id need not begin with the parent's ("text_encoder/umt5").
    std::string above, own = node.module_id;
    if (node.parent_id && node.module_id.compare(0, node.parent_id->size() + 1, *node.parent_id + "/") == 0) {
      above = known[*node.parent_id] + "/";
      own = node.module_id.substr(node.parent_id->size() + 1);
    }
    const size_t slash = own.rfind('/');
    const size_t name = slash == std::string::npos ? 0 : slash + 1;
    const int64_t count =
        of_groups.count(node.module_id) != 0 ? 1 : node.repetition_count.value_or(layers_of(node).value_or(1));
    out.push_back(above + own.substr(0, name) + label_of(own.substr(name), count));
    known[node.module_id] = out.back();
  }
  return out;
}

}  // namespace modelmeter
