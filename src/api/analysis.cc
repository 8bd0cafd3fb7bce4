#include "api/analysis.h"

#include <fmt/format.h>

#include <filesystem>

#include "report/builder.h"
#include "report/json.h"
#include "report/layer_docs.h"
#include "report/summary.h"

namespace modelmeter {
namespace {

bool holds(const std::string& file, const std::string& text) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) && read_file(file) == text;
}

}  // namespace

Analysis::Options Analysis::Options::read(const config::View& report) {
  report.require_known_keys({"output_dir", "run_id", "run_dir", "expand_blocks", "yaml", "layer_docs", "profile_run_id",
                             "measured_total_time_ms"});
  Options out;
  out.expand_blocks = report.get_or<bool>("expand_blocks", false);
  out.yaml = report.get_or<bool>("yaml", false);
  out.layer_docs = report.get_or<bool>("layer_docs", false);
  if (report.has("profile_run_id")) out.profile_run_id = report.get<std::string>("profile_run_id");
  if (report.has("measured_total_time_ms")) {
    out.measured_total_time_ms = report.get_positive<double>("measured_total_time_ms");
  }
  return out;
}

bool writes_reports(const config::View& root) {
  const std::optional<config::View> report = root.optional_child("report");
  return !report || report->has("output_dir") || report->has("run_dir");
}

Analysis::Analysis(const config::View& root, const AnalyticModel& model, std::optional<Machine> machine,
                   const std::vector<std::string>& overrides)
    : model_(model),
      machine_(std::move(machine)),
      options_(Options::read(root.child("report"))),
      run_(evaluate(model)) {
  std::string run_id = "none";
  if (writes_reports(root)) {
    where_ = RunFolder::of(root.child("report"), model, overrides);
    run_id = where_->run_id;
  } else {
    run_id = RunFolder::id_of(root.child("report"), model, overrides);
  }
  report_ = build_report(model, run_, run_id, {options_.expand_blocks}, this->machine());
  report_.profile_run_id = options_.profile_run_id;
  report_.measured_total_time_ms = options_.measured_total_time_ms;
}

void Analysis::name_report() {
  report_.report_id = where_->run_id;
  folder_ = where_->folder + "/static_analysis/" + model_.report_folder();
  name_layer_docs();
}

void Analysis::name_layer_docs() {
  report_.layer_docs_dir.reset();
  if (!options_.layer_docs) return;
  report_.layer_docs_dir = std::filesystem::absolute(folder_ + "/layers").lexically_normal().string();
}

// The report under the id of its run. Where another report has it, the id is stamped, or the user says what to replace.
void Analysis::settle() {
  name_report();
  const std::string file = folder_ + "/report.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored) || holds(file, to_json(report_))) return;
  if (where_->chosen) {
    report_.notes.push_back(fmt::format("{} held another report, which this one replaces", file));
    return;
  }
  where_ = where_->stamped();
  name_report();
}

void Analysis::write() {
  if (!where_) return;
  settle();
  write_files_of_run();
}

void Analysis::write_to(const std::string& folder, bool layer_docs) {
  folder_ = folder;
  options_.layer_docs = layer_docs;
  name_layer_docs();
  write_files_of_run();
}

void Analysis::write_files_of_run() {
  summary_ = summary_markdown(report_);
  std::vector<FileContent> files = {{"report.json", to_json(report_)}, {"summary.md", summary_}};
  if (options_.yaml) files.emplace_back("report.yaml", to_yaml(report_));
  if (options_.layer_docs) {
    for (auto& [name, page] : layer_docs(model_, run_, report_, {options_.expand_blocks}, machine())) {
      files.emplace_back("layers/" + name, std::move(page));
    }
  }
  // A folder holds one run: what another left there beside its own files stays, the pages of its layers do not.
  write_folder(folder_, files, {"report.yaml", "layers"});
  files_.clear();
  for (const auto& [name, content] : files) files_.push_back(fmt::format("{}/{}", folder_, name));
}

void Analysis::link() const {
  if (where_) link_latest(*where_);
}

const std::string& Analysis::summary() {
  if (summary_.empty()) summary_ = summary_markdown(report_);
  return summary_;
}

}  // namespace modelmeter
