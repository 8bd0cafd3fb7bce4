#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "api/analysis.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/hydra_job.h"
#include "cli/output.h"
#include "cli/sweep_jobs.h"
#include "config/scalar.h"
#include "config/yaml.h"
#include "report/timing.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;

JobTime job_time(const RunTime& run, const Machine& machine) {
  const TimeFigures time = time_figures(run.total(), machine);
  return {time.wall_s, time.low_s, time.high_s, time.device_s, time.joules, time.usd, time.mfu};
}

class Directory {
 public:
  explicit Directory(const std::string& folder) : before_(fs::current_path()) { fs::current_path(folder); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    fs::current_path(before_, ignored);
  }

 private:
  fs::path before_;
};

class ComposedJobs : public JobRunner {
 public:
  explicit ComposedJobs(const JobSetting& setting) : setting_(setting) {}

  void run(JobRow& row, const FindResult& find) override {
    setting_.product.choose(row.number, chosen_);
    const std::vector<config::ProductAxis>& axes = setting_.product.axes();
    for (const size_t axis : setting_.swept) row.axes.push_back(stored_value(axes[axis].values[chosen_[axis]]));
    const std::vector<std::string> words = setting_.product.job(row.number);
    row.key = key_of_words(setting_, row.number);  // until it is resolved
    try {
      attempt(row, words, find);
    } catch (const Error& error) {
      row.error = error.what();
    } catch (const std::exception& error) {  // of a file system, of memory
      row.error = fmt::format("error: {}", error.what());
      row.again = true;
    }
    try {
      if (!log_.empty()) write_log(row);
    } catch (const Error& error) {
      if (row.error.empty()) row.error = error.what();
    }
  }

 private:
  void attempt(JobRow& row, const std::vector<std::string>& words, const FindResult& find) {
    log_.clear();
    Session::Job job = setting_.session.job(words, row.number, setting_.folder);
    const bool writes = !setting_.folder.empty();
    std::optional<Directory> there;
    if (writes) {
      write_hydra_files(job.composition, job.folder);
      log_ = log_file_of(job.composition).value_or("");
      job_name_ = hydra_text(job.composition, "job.name");
      if (config::Node* report = job.composition.config.find("report")) {
        report->set("run_dir", config::Node::literal(job.folder));
      }
      if (setting_.change_directory) there.emplace(job.folder);
    }
    const config::Node node = config::resolve(job.composition);
    const std::vector<CanonicalLine> lines = lines_of_job(setting_, node);
    row.key = hash_of_lines(lines);
    row.changes = changes_of(setting_.base, lines);
    row.result = find(row.key);
    if (row.result && !writes) return;
    const config::View root(node);
    const std::unique_ptr<AnalyticModel> model = build_model(root, setting_.session.files());
    const std::optional<Machine> machine = setting_.session.machine(root, job.composition);
    if (!writes) {
      row.figures = job_figures(*model, evaluate(*model), machine ? &*machine : nullptr);
      return;
    }
    Analysis analysis(root, *model, machine, words);
    row.figures = job_figures(*model, analysis.run(), machine ? &*machine : nullptr);
    analysis.write();
  }

  void write_log(const JobRow& row) const {
    write_file(log_, row.error.empty() ? "" : fmt::format("{}[{}][ERROR] - {}\n", log_stamp(), job_name_, row.error));
  }

  const JobSetting& setting_;
  std::vector<size_t> chosen_;
  std::string log_, job_name_;
};

}  // namespace

std::vector<CanonicalLine> lines_of_job(const JobSetting& setting, const config::Node& resolved) {
  std::vector<CanonicalLine> out = canonical_lines(resolved);
  out.push_back({"(program)", "(program): " + setting.program});
  setting.named_files.add_lines(resolved, out);
  if (resolved.find("device") == nullptr) return out;
  for (const CanonicalLine& line : setting.hardware) {
    if (resolved.find(line.key) == nullptr) out.push_back({"(default) " + line.key, "(default) " + line.text});
  }
  return out;
}

JobHash key_of_words(const JobSetting& setting, int64_t number) {
  const std::string words = fmt::format("{}", fmt::join(setting.product.job(number), "\n"));
  return hash_of_line(fmt::format("{}\n{}\n{}", setting.program, setting.session.config_name(), words));
}

std::unique_ptr<JobRunner> composed_jobs(const JobSetting& setting) { return std::make_unique<ComposedJobs>(setting); }

void refuse_parquet(const std::string& file) {
  if (!file.ends_with(".parquet")) return;
  throw Error(ErrorCode::usage, fmt::format("{}: Parquet is not written here", file), {},
              {"sweep.store=FILE is SQLite, and modelmeter sweep show STORE --csv FILE writes CSV",
               "python3 -c \"import pandas; pandas.read_csv('t.csv').to_parquet('t.parquet')\" makes one of it"});
}

StoredValue stored_value(const config::Node& value) {
  switch (value.kind()) {
    case config::Kind::null: return nullptr;
    case config::Kind::boolean: return static_cast<int64_t>(value.as_bool());
    case config::Kind::integer: return value.as_int();
    case config::Kind::floating: return value.as_double();
    case config::Kind::string: return value.as_string();
    default: return config::to_override(value);
  }
}

JobFigures job_figures(const AnalyticModel& model, const Evaluation& run, const Machine* machine) {
  const Totals totals = totals_of(model, model.cost_of(run));
  if (machine != nullptr) return job_figures(totals, time_run(run, *machine), *machine);
  return {totals, std::nullopt};
}

JobFigures job_figures(const Totals& totals, const RunTime& time, const Machine& machine) {
  return {totals, job_time(time, machine)};
}

}  // namespace modelmeter::cli
