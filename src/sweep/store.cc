#include "sweep/store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "base/error.h"

namespace modelmeter {
namespace {

constexpr int64_t application_id = 0x6d6d7377;  // "mmsw"
constexpr int64_t format_version = 2;

constexpr const char* index_text = "CREATE INDEX IF NOT EXISTS results_by_key ON results(key)";
// When a process began, in ticks since the machine did: field 22 of its stat, behind a name that may hold anything.
std::string beginning_of(int64_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text;
  std::getline(file, text);
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return "";
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return field;
}

std::string this_process() { return fmt::format("{} {}", getpid(), beginning_of(getpid())); }

bool is_alive(const std::string& owner) {
  std::istringstream text(owner);
  int64_t process = 0;
  std::string began;
  text >> process >> began;
  if (process <= 0 || (::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH)) return false;
  return beginning_of(process) == began;
}

std::string identity_of(const SweepDescription& sweep) {
  JobHash hash = hash_of_line(sweep.base);
  std::string words;
  for (const std::string& word : sweep.overrides) words += word + "\n";
  for (const std::string& axis : sweep.axes) words += axis + "\n";
  hash += hash_of_line(fmt::format("{}\n{}\n{}\n{}\n{}\n{}", sweep.config_name, sweep.program, sweep.jobs, sweep.chunk,
                                   hex_of(sweep.values), words));
  return hex_of(hash);
}

std::string create_text() {
  return fmt::format(
      "CREATE TABLE sweeps(id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, program TEXT, config_name TEXT,"
      " overrides TEXT, base TEXT, axes INTEGER, jobs INTEGER, chunk INTEGER, first_result INTEGER,"
      " began TEXT DEFAULT CURRENT_TIMESTAMP);\n"
      "CREATE TABLE chunks(sweep INTEGER, chunk INTEGER, owner TEXT, PRIMARY KEY(sweep, chunk)) WITHOUT ROWID;\n"
      "{}PRAGMA application_id={}; PRAGMA user_version={};",
      results_table("main"), application_id, format_version);
}

// Two processes that make one store at once: SQLite does not wait for the other one here.
void use_wal(Database& database) {
  constexpr int tries = 200;
  for (int i = 0;; ++i) {
    try {
      return database.execute("PRAGMA journal_mode=WAL");
    } catch (const Error&) {
      if (i == tries) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

void prepare_store(Database& database) {
  use_wal(database);
  database.execute("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=2000");
}

// Pages of 16 KiB: a quarter of the calls that write them.
Database made_store(const std::string& path) {
  Database out(path, Database::Mode::create);
  out.execute("PRAGMA page_size=16384");
  Transaction transaction(out);
  if (out.number("SELECT count(*) FROM sqlite_master") == 0) out.execute(create_text());
  transaction.commit();
  return open_store(path, Database::Mode::write);
}

}  // namespace

void create_jobs(Database& database, int64_t sweep, const std::vector<std::string>& axes) {
  std::string columns;
  for (const std::string& axis : axes) columns += ", " + sql_name(axis);
  database.execute(jobs_table(fmt::format("main.jobs_{}", sweep), axes) +
                   fmt::format("CREATE VIEW main.sweep_{0} AS SELECT number AS job{1}, error, {2}"
                               " FROM jobs_{0} JOIN results ON results.id=result;",
                               sweep, columns, fmt::join(figure_columns(), ", ")));
}

Database open_store(const std::string& path, Database::Mode mode) {
  Database out(path, mode);
  if (out.number("PRAGMA application_id") != application_id) {
    throw Error(fmt::format("{}: a database, but no store of sweeps", path));
  }
  if (const int64_t version = out.number("PRAGMA user_version"); version != format_version) {
    throw Error(fmt::format("{}: a store of format {}; this program reads {}", path, version, format_version));
  }
  return out;
}

// Of WAL even a reader writes, beside the file; where it cannot, nobody does.
Database read_store(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  Database::Mode mode = Database::Mode::write;
  if (::access(path.c_str(), W_OK) != 0) mode = Database::Mode::read;
  const bool has_log = std::filesystem::exists(path + "-wal", ignored);
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0 && !has_log) mode = Database::Mode::immutable;
  Database out = open_store(path, mode);
  out.execute("PRAGMA query_only=ON");
  return out;
}

class SweepStore::Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - began_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point began_ = Clock::now();
};

SweepStore::SweepStore(const std::string& path) : database_(made_store(path)), owner_(this_process()) {
  prepare_store(database_);
}

int64_t SweepStore::begin(const SweepDescription& sweep) {
  const std::lock_guard lock(mutex_);
  const std::string identity = identity_of(sweep);
  Transaction transaction(database_);
  Statement found = database_.prepare("SELECT id FROM sweeps WHERE identity=?");
  found.bind(1, std::string_view(identity));
  const int64_t id = found.step() ? found.integer(0) : add(sweep, identity);
  found.reset();
  has_others_ = database_.number(fmt::format("SELECT EXISTS(SELECT 1 FROM results WHERE sweep<>{})", id)) != 0;
  if (has_others_) database_.execute(index_text);
  transaction.commit();
  return id;
}

// The first number that no sweep has for its results.
int64_t SweepStore::free_results() const {
  return 1 + database_.number("SELECT ifnull(max(first_result + jobs - 1), 0) FROM main.sweeps");
}

int64_t SweepStore::add(const SweepDescription& sweep, const std::string& identity) {
  Statement insert = database_.prepare(
      "INSERT INTO sweeps(identity, program, config_name, overrides, base, axes, jobs, chunk, first_result)"
      " VALUES(?,?,?,?,?,?,?,?,?)");
  int at = 0;
  const std::string overrides = fmt::format("{}", fmt::join(sweep.overrides, "\n"));
  for (const std::string* text : {&identity, &sweep.program, &sweep.config_name, &overrides, &sweep.base}) {
    insert.bind(++at, std::string_view(*text));
  }
  for (const int64_t number : {static_cast<int64_t>(sweep.axes.size()), sweep.jobs, sweep.chunk, free_results()})
    insert.bind(++at, number);
  insert.run();
  const int64_t id = database_.number("SELECT last_insert_rowid()");
  create_jobs(database_, id, sweep.axes);
  return id;
}

SweepStore::Cursor SweepStore::cursor(int64_t sweep, Shard shard) const {
  const std::lock_guard lock(mutex_);
  Cursor out{sweep, shard};
  out.jobs = database_.number(fmt::format("SELECT jobs FROM sweeps WHERE id={}", sweep));
  out.chunk_jobs = database_.number(fmt::format("SELECT chunk FROM sweeps WHERE id={}", sweep));
  const int64_t all = (out.jobs + out.chunk_jobs - 1) / out.chunk_jobs;
  out.chunks = all <= shard.number ? 0 : (all - shard.number + shard.count - 1) / shard.count;
  return out;
}

// Whether the chunk is now this process'. `other`: it is that of another one that lives.
bool SweepStore::take(const Cursor& cursor, int64_t chunk, bool& other) {
  if (!find_chunk_)
    find_chunk_ = database_.prepare("SELECT owner IS NULL, owner FROM chunks WHERE sweep=? AND chunk=?");
  find_chunk_->bind(1, cursor.sweep);
  find_chunk_->bind(2, chunk);
  const bool there = find_chunk_->step();
  const bool stored = there && find_chunk_->integer(0) != 0;
  const std::string owner = there ? find_chunk_->text(1) : "";
  find_chunk_->reset();
  other = there && !stored && owner != owner_ && is_alive(owner);
  if (stored || other || owner == owner_) return false;
  Statement set = database_.prepare("INSERT OR REPLACE INTO chunks(sweep, chunk, owner) VALUES(?,?,?)");
  set.bind(1, cursor.sweep);
  set.bind(2, chunk);
  set.bind(3, std::string_view(owner_));
  set.run();
  return true;
}

SweepStore::Answer SweepStore::claim(Cursor& cursor, Claim& out) {
  const std::lock_guard lock(mutex_);
  const Stopwatch stopwatch(writing_seconds_);
  const auto claimed = [&](int64_t chunk) {
    out = {chunk, chunk * cursor.chunk_jobs, std::min((chunk + 1) * cursor.chunk_jobs, cursor.jobs)};
    return Answer::claimed;
  };
  if (cursor.seen >= cursor.chunks && cursor.others.empty()) return Answer::done;
  Transaction transaction(database_);
  while (cursor.seen < cursor.chunks) {
    const int64_t own = (cursor.first + cursor.seen++) % cursor.chunks;
    const int64_t chunk = cursor.shard.number + own * cursor.shard.count;
    bool other = false;
    if (take(cursor, chunk, other)) return transaction.commit(), claimed(chunk);
    if (other) cursor.others.push_back(chunk);
  }
  std::vector<int64_t> still;
  std::optional<int64_t> taken;
  for (const int64_t chunk : cursor.others) {
    bool other = false;
    if (!taken && take(cursor, chunk, other)) {
      taken = chunk;
    } else if (other || taken) {
      still.push_back(chunk);
    }
  }
  cursor.others = std::move(still);
  transaction.commit();
  if (taken) return claimed(*taken);
  return cursor.others.empty() ? Answer::done : Answer::wait;
}

std::optional<int64_t> SweepStore::find_result(JobHash key) {
  if (!has_others_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (!find_result_) find_result_ = database_.prepare("SELECT id FROM results WHERE key=?");
  const std::string bytes = bytes_of(key);
  find_result_->bind_blob(1, bytes);
  std::optional<int64_t> out;
  if (find_result_->step()) out = find_result_->integer(0);
  find_result_->reset();
  return out;
}

StagedRows SweepStore::staged_rows(int64_t sweep) const {
  const std::lock_guard lock(mutex_);
  const auto number = [&](const char* column) {
    return database_.number(fmt::format("SELECT {} FROM sweeps WHERE id={}", column, sweep));
  };
  return {sweep, number("first_result"), static_cast<size_t>(number("axes"))};
}

void SweepStore::store(int64_t sweep, const Claim& claim, const StagedRows& rows) {
  const std::lock_guard lock(mutex_);
  const Stopwatch stopwatch(writing_seconds_);
  const AttachedDatabase staged(database_, rows.uri(), "staged");
  Transaction transaction(database_);
  const std::string chunk = fmt::format("sweep={} AND chunk={}", sweep, claim.chunk);
  // Another process may have taken this one for dead.
  if (database_.number(fmt::format("SELECT count(*) FROM chunks WHERE {} AND owner IS NULL", chunk)) != 0) return;
  // Rows of an earlier try, of which the machine failed some. Else SQLite copies cells as they are, which it does not
  // with OR REPLACE.
  const bool anew = database_.number(fmt::format("SELECT EXISTS(SELECT 1 FROM jobs_{} WHERE number>={} AND number<{})",
                                                 sweep, claim.first, claim.last)) != 0;
  const char* const insert = anew ? "INSERT OR REPLACE" : "INSERT";
  database_.execute(fmt::format("{} INTO main.results SELECT * FROM staged.results", insert));
  database_.execute(fmt::format("{} INTO main.jobs_{} SELECT * FROM staged.jobs", insert, sweep));
  database_.execute((rows.again() ? "DELETE FROM chunks WHERE " : "UPDATE chunks SET owner=NULL WHERE ") + chunk);
  transaction.commit();
}

double SweepStore::writing_seconds() const {
  const std::lock_guard lock(mutex_);
  return writing_seconds_;
}

int64_t SweepStore::stored(int64_t sweep) const {
  const std::lock_guard lock(mutex_);
  return database_.number(fmt::format("SELECT count(*) FROM jobs_{}", sweep));
}

int64_t SweepStore::failed(int64_t sweep) const {
  const std::lock_guard lock(mutex_);
  return database_.number(fmt::format("SELECT count(*) FROM sweep_{} WHERE error IS NOT NULL", sweep));
}

std::optional<std::pair<int64_t, std::string>> SweepStore::first_failure(int64_t sweep) const {
  const std::lock_guard lock(mutex_);
  Statement found = database_.prepare(
      fmt::format("SELECT job, error FROM sweep_{} WHERE error IS NOT NULL ORDER BY job LIMIT 1", sweep));
  if (!found.step()) return std::nullopt;
  return std::pair(found.integer(0), found.text(1));
}

}  // namespace modelmeter
