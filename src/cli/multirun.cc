#include "cli/multirun.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "api/analysis.h"
#include "base/edit_distance.h"
#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/json_writer.h"
#include "cli/help.h"
#include "cli/hydra_job.h"
#include "cli/output.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "cli/sweep_jobs.h"
#include "config/scalar.h"
#include "config/yaml.h"
#include "sweep/table.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;
using config::Kind;
using config::Node;
using config::Product;

constexpr char store_word[] = "sweep.store=", shard_word[] = "sweep.shard=";
constexpr int64_t most_chunks = 256, largest_chunk = 2048;
constexpr size_t options_checked = 512;  // of a group, before any job runs

// What the command line says beside the configuration.
struct Asked {
  std::vector<std::string> words;  // for the configuration
  std::string store;
  Shard shard;
};

[[noreturn]] void wrong_shard(const std::string& text) {
  throw Error(ErrorCode::usage, fmt::format("sweep.shard={}: which of how many, as in sweep.shard=2/4", text));
}

Shard shard_of(const std::string& text) {
  Shard out;
  const size_t slash = text.find('/');
  if (slash == std::string::npos) wrong_shard(text);
  const auto number = [&](size_t begin, size_t end, int64_t& value) {
    const auto [at, error] = std::from_chars(text.data() + begin, text.data() + end, value);
    if (error != std::errc() || at != text.data() + end) wrong_shard(text);
  };
  number(0, slash, out.number);
  number(slash + 1, text.size(), out.count);
  if (out.count < 1 || out.number < 1 || out.number > out.count) wrong_shard(text);
  --out.number;
  return out;
}

Asked asked_of(const std::vector<std::string>& rest) {
  Asked out;
  for (const std::string& word : rest) {
    if (word.compare(0, sizeof store_word - 1, store_word) == 0) {
      out.store = word.substr(sizeof store_word - 1);
      if (out.store.empty()) throw Error(ErrorCode::usage, "sweep.store=FILE: which file?");
      refuse_parquet(out.store);
      if (out.store.ends_with(".csv")) {
        throw Error(ErrorCode::usage, fmt::format("sweep.store={}: a store is SQLite", out.store), {},
                    {"sweep.store=jobs.sqlite, then modelmeter sweep show jobs.sqlite --csv " + out.store});
      }
    } else if (word.compare(0, sizeof shard_word - 1, shard_word) == 0) {
      out.shard = shard_of(word.substr(sizeof shard_word - 1));
    } else if (word.compare(0, 6, "sweep.") == 0) {
      const std::string key = word.substr(0, word.find('='));
      throw Error(ErrorCode::usage, fmt::format("'{}' is no option of a sweep", key), {},
                  name_notes(key, {"sweep.store", "sweep.shard"}, "options"));
    } else if (word == "hydra.mode=RUN") {
      throw Error(ErrorCode::usage, "hydra.mode=RUN does not go with many jobs", {},
                  {"without --multirun, sweep.store and sweep.shard there is one run"});
    } else {
      out.words.push_back(word);
    }
  }
  // Where it was said it stays, as Hydra has it; else it is the last word.
  const std::string mode = "hydra.mode=MULTIRUN";
  if (std::find(out.words.begin(), out.words.end(), mode) == out.words.end()) out.words.push_back(mode);
  return out;
}

int threads_of(const config::Composition& composition) {
  const Node* launcher = composition.hydra.find("launcher");
  const Node* jobs = launcher == nullptr ? nullptr : launcher->find("n_jobs");
  if (jobs == nullptr || jobs->is(Kind::null)) return usable_cores();
  if (!jobs->is(Kind::integer) || jobs->as_int() == 0 || jobs->as_int() > 4096) {
    throw Error("hydra.launcher.n_jobs: how many jobs run at once, or -1 for all cores", jobs->span());
  }
  const int64_t number = jobs->as_int();  // -2: all cores but one, as joblib has it
  return static_cast<int>(number > 0 ? number : std::max<int64_t>(1, usable_cores() + 1 + number));
}

std::optional<int64_t> batch_of(const config::Composition& composition) {
  const Node* sweeper = composition.hydra.find("sweeper");
  const Node* most = sweeper == nullptr ? nullptr : sweeper->find("max_batch_size");
  if (most == nullptr || most->is(Kind::null)) return std::nullopt;
  if (!most->is(Kind::integer) || most->as_int() < 1) {
    throw Error("hydra.sweeper.max_batch_size: a number above 0, or null", most->span());
  }
  return most->as_int();
}

Product product_of(const Session& session) {
  const config::Composition& composition = session.composition();
  std::vector<std::string> words;
  if (const Node* sweeper = composition.hydra.find("sweeper")) {
    if (const Node* params = sweeper->find("params")) words = config::sweeper_params(*params);
  }
  words.insert(words.end(), composition.overrides.begin(), composition.overrides.end());
  return Product::of(session.repository(), words);
}

// Before any job runs every option of a group that is swept is composed once, and of other axes the last value: what is
// wrong with a key is wrong with all of them. Gives the hash of what stands there, and in files that values name: with
// another the sweep is another one.
JobHash composed_once(const JobSetting& setting) {
  const Session& session = setting.session;
  JobHash out = 0;
  std::vector<std::string> words = setting.product.job(0);
  const auto compose = [&] {
    const config::Composition composition = session.composed_job(words);
    try {
      out += hash_of_lines(lines_of_job(setting, config::resolve(composition)));
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the job's own
    }
  };
  compose();
  for (size_t i = 0; i < setting.product.axes().size(); ++i) {
    const config::ProductAxis& axis = setting.product.axes()[i];
    const std::vector<std::string>& values = axis.words;
    const bool group = session.repository().has_group(axis.word.key);
    const size_t last = group ? options_checked : values.size();
    for (size_t k = group ? 1 : std::max<size_t>(1, values.size() - 1); k < values.size() && k <= last; ++k) {
      words[i] = values[k];
      compose();
    }
    words[i] = values[0];
    for (const Node& value : axis.values) {
      if (value.is(Kind::string)) out += setting.named_files.hash_of(value.as_string()).value_or(0);
    }
  }
  return out;
}

// {stack: {...}} and {host: {...}} as a line each, by the hash of what stands there.
std::vector<CanonicalLine> hardware_lines(const Session& session) {
  std::vector<CanonicalLine> out;
  try {
    for (const Node& option : session.default_hardware()) {
      const std::string& group = option.entries().front().key.text;
      const JobHash hash = hash_of_lines(canonical_lines(option));
      out.push_back({group, group + ": " + hex_of(hash)});
    }
  } catch (const Error&) {  // whoever needs them says so
    out.clear();
  }
  return out;
}

std::string log_line(const std::string& text) { return fmt::format("{}[HYDRA] {}\n", log_stamp(), text); }

// ['lr=1', 'db=pg']
std::string python_list(const std::vector<std::string>& words) {
  config::List items;
  for (const std::string& word : words) items.push_back(Node::literal(word));
  return config::python_str(Node::list(std::move(items)));
}

class Multirun {
 public:
  explicit Multirun(const Arguments& arguments)
      : arguments_(arguments),
        asked_(asked_of(arguments.rest())),
        session_(Session::multirun(arguments, asked_.words)) {}

  const std::string& shown() const { return session_.shown_config(); }

  void run_silently(const TellProgress& progress) {
    if (asked_.store.empty()) throw Error("a sweep needs a store", {}, {"sweep.store=FILE"});
    tell_ = progress;
    run();
  }

  int run() {
    const Product product = product_of(session_);
    const config::Composition& composition = session_.composition();
    batch_ = batch_of(composition);
    const bool table_only = !asked_.store.empty() || !writes_reports(config::View(composition.config));
    const std::string folder = asked_.store.empty() ? make_folder() : "";
    if (product.size() == 0) throw Error("the sweep has no jobs: one of its axes has no values");
    NamedFiles named_files(session_.files());
    JobSetting setting{session_, product, named_files, MODELMETER_VERSION, table_only ? "" : folder, {}, {}};
    setting.hardware = hardware_lines(session_);
    for (size_t i = 0; i < product.axes().size(); ++i) {
      if (product.axes()[i].swept()) setting.swept.push_back(i);
    }
    apply_job_options(setting);
    const JobHash contents = composed_once(setting);
    setting.base = first_lines(setting);
    if (shares_folder(setting)) threads_ = 1;
    SweepStore store(asked_.store.empty() ? folder + "/sweep.sqlite" : asked_.store);
    const int64_t sweep = store.begin(description(setting, contents, table_only));
    announce(product, table_only);
    const SweepProgress done = run_jobs(setting, store, sweep, table_only);
    std::string csv;
    if (asked_.store.empty()) {
      csv = folder + "/sweep.csv";
      write_csv(SweepTable(store.path(), sweep), csv);
    }
    return finish(product, store, sweep, done, csv);
  }

 private:
  // hydra.sweep.dir with multirun.yaml in it.
  std::string make_folder() const {
    const config::Composition& composition = session_.composition();
    const std::string out = fs::absolute(hydra_text(composition, "sweep.dir")).lexically_normal().string();
    fs::create_directories(out);
    write_file((fs::path(out) / "multirun.yaml").string(), config::to_yaml(config::whole_config(composition)));
    return (fs::path(out) / "").parent_path().string();
  }

  std::vector<CanonicalLine> first_lines(const JobSetting& setting) const {
    try {
      return lines_of_job(setting, config::resolve(session_.job(setting.product.job(0), 0, "").composition));
    } catch (const Error&) {  // the job's own error
      return {};
    }
  }

  // Whether jobs write into one folder (hydra.sweep.subdir=same): one after another, as Hydra has it.
  bool shares_folder(const JobSetting& setting) const {
    const int64_t last = setting.product.size() - 1;
    if (setting.folder.empty() || last == 0) return false;
    const auto folder_of = [&](int64_t number) {
      return session_.job(setting.product.job(number), number, setting.folder).folder;
    };
    try {
      return folder_of(0) == folder_of(last);
    } catch (const Error&) {  // the job's own
      return false;
    }
  }

  // The environment and the folder of a process are one: hydra.job.env_set is set once, before all jobs; jobs that
  // change the folder follow one another.
  void apply_job_options(JobSetting& setting) {
    const config::Composition& composition = session_.composition();
    threads_ = threads_of(composition);
    setting.change_directory = changes_directory(composition);
    if (setting.change_directory && !setting.folder.empty()) threads_ = 1;
    set_environment(composition);
  }

  SweepDescription description(const JobSetting& setting, JobHash contents, bool table_only) const {
    SweepDescription out;
    out.config_name = session_.config_name();
    out.program = setting.program;
    out.overrides = session_.composition().overrides;
    out.base = canonical_text(setting.base);
    for (const size_t axis : setting.swept) out.axes.push_back(setting.product.axes()[axis].key);
    std::string words;
    for (const config::ProductAxis& axis : setting.product.axes()) {
      for (const std::string& word : axis.words) words += word + "\n";
    }
    out.values = hash_of_line(words) + contents;
    out.jobs = setting.product.size();
    out.chunk = std::clamp(out.jobs / most_chunks, int64_t{1}, largest_chunk);
    if (batch_ && table_only) out.chunk = std::min(out.chunk, *batch_);
    return out;
  }

  bool talks() const { return !arguments_.has("--quiet") && !arguments_.has("--json"); }

  // What Hydra's launcher says, of all jobs at once: they run side by side.
  void announce(const Product& product, bool table_only) const {
    for (const std::string& word : session_.composition().overrides) {
      const bool place = word.rfind("report.output_dir=", 0) == 0 || word.rfind("report.run_dir=", 0) == 0;
      if (place && !table_only)
        note(arguments_, "note: reports of a multirun are in hydra.sweep.dir, whatever " + word);
    }
    if (!talks()) return;
    for (const auto& [group, option] : session_.composition().choices) {
      if (group == "hydra/hydra_logging" && (option == "none" || option == "disabled")) return;
    }
    const int64_t batch = table_only ? product.size() : batch_.value_or(product.size());
    for (int64_t first = 0; first < product.size(); first += batch) {
      const int64_t last = std::min(first + batch, product.size());
      print(log_line(fmt::format("Launching {} jobs locally", last - first)));
      for (int64_t i = first; i < last && !table_only; ++i) {
        print(log_line(fmt::format("\t#{} : {}", i, fmt::join(product.job(i), " "))));
      }
    }
    flush();
  }

  // Where kernels are timed.
  static bool is_on_device(const JobSetting& setting) {
    const std::vector<config::ProductAxis>& axes = setting.product.axes();
    const auto is_device = [](const config::ProductAxis& axis) { return axis.word.key == "device"; };
    const auto in_base = [](const CanonicalLine& line) { return line.key.rfind("device.", 0) == 0; };
    return std::any_of(axes.begin(), axes.end(), is_device) ||
           std::any_of(setting.base.begin(), setting.base.end(), in_base);
  }

  SweepProgress run_jobs(const JobSetting& setting, SweepStore& store, int64_t sweep, bool table_only) {
    SweepRun run{sweep, asked_.shard, threads_, false, [&] { return composed_jobs(setting); }};
    if (table_only) {
      std::vector<size_t> points = point_axes(session_, setting.product);
      if (!points.empty()) {
        const std::shared_ptr<Spaces> spaces = make_spaces(setting, std::move(points));
        run.runner = [&setting, spaces] { return point_jobs(setting, spaces); };
        run.apart = is_on_device(setting);
      }
    }
    ProgressBar bar(!arguments_.has("--quiet"));
    run.progress = [&](const SweepProgress& progress) {
      bar.show(progress);
      if (tell_) tell_(sweep, progress);
    };
    if (tell_) tell_(sweep, {.jobs = setting.product.size()});
    const SweepProgress out = run_sweep(store, run);
    bar.clear();
    seconds_ = bar.seconds();
    return out;
  }

  // Where more cores would not have helped.
  void note_writer(const SweepStore& store) const {
    constexpr double long_enough = 5, busy = 0.9;
    if (threads_ == 1 || seconds_ < long_enough || store.writing_seconds() < busy * seconds_) return;
    note(arguments_, fmt::format("note: the store's one writer was busy for {:.0f} % of the time; shards in stores of "
                                 "their own are faster: sweep.shard=i/n, then modelmeter sweep merge",
                                 100 * store.writing_seconds() / seconds_));
  }

  int finish(const Product& product, const SweepStore& store, int64_t sweep, const SweepProgress& done,
             const std::string& csv) const {
    if (tell_) return 0;
    const int64_t failed = store.failed(sweep), stored = store.stored(sweep);
    note_writer(store);
    if (arguments_.has("--json")) {
      print(json_text([&](DocumentWriter& out) {
              out.map([&] {
                out.field("jobs", product.size());
                out.field("stored", stored);
                out.field("evaluated", done.done - done.found);
                out.field("failed", failed);
                out.field("store", store.path());
                out.field("table", csv.empty() ? std::optional<std::string>() : csv);
              });
            }) +
            "\n");
    } else if (talks()) {
      const double rate = seconds_ > 0 ? static_cast<double>(done.done) / seconds_ : 0;
      print(fmt::format("{} jobs: {} stored, {} of them now ({:.0f} a second), {} failed\n", grouped(product.size()),
                        grouped(stored), grouped(done.done), rate, grouped(failed)));
      print(fmt::format("store: {}\n", store.path()));
      if (!csv.empty()) print(fmt::format("table: {}\n", csv));
    }
    if (failed == 0) return 0;
    const auto first = store.first_failure(sweep);
    print_error(fmt::format("Error executing job with overrides: {}", python_list(product.job(first->first))));
    print_error(first->second);
    if (failed > 1) note(arguments_, fmt::format("note: {} more jobs failed; the table has their errors", failed - 1));
    return 1;
  }

  const Arguments& arguments_;
  Asked asked_;
  Session session_;
  std::optional<int64_t> batch_;
  int threads_ = 1;
  double seconds_ = 0;
  TellProgress tell_;  // of a front end; then nothing is printed
};

}  // namespace

bool is_multirun(const Arguments& arguments) {
  if (arguments.has("--multirun")) return true;
  const std::vector<std::string>& words = arguments.rest();
  const auto says = [](const std::string& word) {
    return word == "hydra.mode=MULTIRUN" || word.rfind(store_word, 0) == 0 || word.rfind(shard_word, 0) == 0;
  };
  if (std::any_of(words.begin(), words.end(), says)) return true;
  const auto sweeps = [](const std::string& word) {
    try {
      return config::parse_override(word).is_sweep();
    } catch (const Error&) {  // a session says it
      return false;
    }
  };
  std::vector<std::string> others = words;
  others.erase(std::remove_if(others.begin(), others.end(), sweeps), others.end());
  if (others.size() == words.size()) return false;
  try {
    return Session::multirun(arguments, others, false).asks_for_multirun();
  } catch (const Error&) {
    return false;
  }
}

int multirun(const Arguments& arguments) {
  for (const char* flag : {"--depth", "--by"}) {
    if (arguments.has(flag)) throw Error(ErrorCode::usage, fmt::format("{} is of one run, not of many", flag));
  }
  Multirun run(arguments);
  if (!run.shown().empty()) return print(run.shown()), 0;
  return run.run();
}

void sweep_into_store(const std::vector<std::string>& words, const TellProgress& progress) {
  std::vector<std::string> line = words;
  line.insert(line.end(), {"--multirun", "--quiet"});
  const Arguments arguments(line, with_common(config_flags()));
  Multirun(arguments).run_silently(progress);
}

}  // namespace modelmeter::cli
