#include "api/report_path.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/edit_distance.h"
#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

constexpr char runs_folder[] = "tmp/profile-output";  // report.output_dir of configs/report
constexpr char analysis[] = "static_analysis", file_name[] = "report.json";

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    out.push_back(it->path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// The reports of a folder: report.json in it, in one of its folders, or in one of its static_analysis/'s.
std::vector<std::string> reports_in(const fs::path& folder) {
  std::error_code error;
  if (fs::is_regular_file(folder / file_name, error)) return {(folder / file_name).string()};
  const fs::path models = fs::is_directory(folder / analysis, error) ? folder / analysis : folder;
  std::vector<std::string> out;
  for (const std::string& name : names_in(models)) {
    if (fs::is_regular_file(models / name / file_name, error)) out.push_back((models / name / file_name).string());
  }
  return out;
}

std::string only_report(const std::string& name, const fs::path& folder) {
  const std::vector<std::string> reports = reports_in(folder);
  if (reports.size() == 1) return reports.front();
  if (reports.empty()) throw Error(fmt::format("{}: there is no report in this folder", name));
  throw Error(fmt::format("{}: there are {} reports in this folder", name, reports.size()), {},
              {fmt::format("name one: {}", fmt::join(reports, ", "))});
}

}  // namespace

std::string report_path(const std::string& name) {
  std::error_code error;
  if (fs::is_directory(name, error)) return only_report(name, name);
  if (fs::exists(name, error) || name.find('/') != std::string::npos) return name;
  const fs::path run = fs::path(runs_folder) / name;
  if (!name.empty() && fs::is_directory(run, error)) return only_report(name, run);
  const std::vector<std::string> runs = names_in(runs_folder);
  std::vector<std::string> notes = {
      fmt::format("a report is a file, a run's folder, or the id of a run in {}", runs_folder)};
  if (!runs.empty()) {
    const std::vector<std::string> known = name_notes(name, runs, "runs");
    notes.insert(notes.end(), known.begin(), known.end());
  }
  throw Error(fmt::format("{}: there is no such file, folder or run", name), {}, notes);
}

}  // namespace modelmeter
