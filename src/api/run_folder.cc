#include "api/run_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <filesystem>
#include <variant>

#include "base/fields.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

constexpr size_t longest_suffix = 80;  // letters; a name of a file has at most 255 bytes

std::string text_field(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name && std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  }
  return "";
}

// What the parts of the id name already, and what decides no figure.
bool is_named(const std::string& key) {
  for (const char* group : {"workload", "runtime", "hf", "hf.config_path", "hf.config", "workload.profile_id",
                            "runtime.implementation", "run_id", "model.trace"}) {
    if (key == group) return true;
  }
  if (key == "transformer.num_layers" || key.compare(0, 18, "transformer.block.") == 0) return true;
  const bool of_report = key.compare(0, 7, "report.") == 0 && key != "report.expand_blocks";
  return of_report || key == "report" || key.compare(0, 6, "hydra.") == 0;
}

// 32 bits of FNV-1a.
uint32_t hash_of(const std::string& text) {
  uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

std::string name_of_folder(std::string text) {
  for (char& c : text) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("._=,+-").find(c) < 6;
    if (!kept) c = '-';
  }
  return text;
}

std::string made_id(const AnalyticModel& model, const config::View& report, const std::vector<std::string>& overrides) {
  std::string out = fmt::format("{}_{}", text_field(model.model_fields(), "model_variant"), model.preset_id());
  if (model.report_folder() == model.family()) out += "_" + text_field(model.runtime_fields(), "implementation");
  const std::string asked = text_of_overrides(overrides);
  if (!asked.empty()) out += "_" + asked;
  out = name_of_folder(out);
  if (out.empty() || out[0] == '.') throw report.error("the model and the workload have no names: report.run_id=NAME");
  return out;
}

}  // namespace

std::string text_of_overrides(const std::vector<std::string>& overrides) {
  std::string out;
  for (const std::string& override : overrides) {
    const size_t equals = override.find('=');
    const size_t begin = std::min(override.find_first_not_of("+~"), override.size());
    const std::string key = override.substr(begin, equals == std::string::npos ? equals : equals - begin);
    if (key.empty() || is_named(key)) continue;
    const size_t dot = key.rfind('.');
    out += (out.empty() ? "" : ",") + key.substr(dot == std::string::npos ? 0 : dot + 1);
    if (equals != std::string::npos) out += override.substr(equals);
  }
  out = name_of_folder(std::move(out));
  if (out.size() <= longest_suffix) return out;
  return fmt::format("{}-{:08x}", out.substr(0, longest_suffix - 9), hash_of(out));
}

std::string RunFolder::id_of(const config::View& report, const AnalyticModel& model,
                             const std::vector<std::string>& overrides) {
  if (!report.has("run_id")) return made_id(model, report, overrides);
  std::string out = report.get<std::string>("run_id");
  if (out.empty() || out.find('/') != std::string::npos || out == "." || out == "..") {
    throw report.at("run_id").expected("the name of a folder");
  }
  return out;
}

RunFolder RunFolder::of(const config::View& report, const AnalyticModel& model,
                        const std::vector<std::string>& overrides) {
  RunFolder out;
  out.run_id = id_of(report, model, overrides);
  out.chosen = report.has("run_id");
  if (report.has("run_dir")) {
    out.folder = report.get<std::string>("run_dir");
    if (out.folder.empty()) throw report.at("run_dir").expected("a folder");
    out.chosen = true;
  } else {
    const auto output_dir = report.get<std::string>("output_dir");
    if (output_dir.empty()) throw report.at("output_dir").expected("the name of a folder");
    out.folder = output_dir + "/" + out.run_id;
  }
  return out;
}

RunFolder RunFolder::stamped() const {
  const std::time_t now = std::time(nullptr);
  RunFolder out = *this;
  const std::string stamp = fmt::format("_{:%Y%m%d-%H%M%S}", fmt::localtime(now));
  std::error_code ignored;
  for (int i = 1; i == 1 || fs::exists(out.folder, ignored); ++i) {
    const std::string more = stamp + (i == 1 ? "" : fmt::format("-{}", i));
    out.run_id = run_id + more;
    out.folder = folder + more;
  }
  return out;
}

void link_latest(const RunFolder& run) {
  const fs::path folder = fs::path(run.folder).lexically_normal();
  const fs::path link = folder.parent_path() / "latest";
  if (folder.filename().empty() || folder.filename() == "latest") return;
  std::error_code error;
  if (fs::exists(fs::symlink_status(link, error)) && !fs::is_symlink(fs::symlink_status(link, error))) return;
  const fs::path temporary = fmt::format("{}.{}.tmp", link.string(), getpid());
  fs::remove(temporary, error);
  fs::create_directory_symlink(folder.filename(), temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) fs::remove(temporary, error);
}

}  // namespace modelmeter
