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
constexpr int64_t format_version = 1;

constexpr const char* index_text = "CREATE INDEX IF NOT EXISTS results_by_key ON results(key)";
constexpr const char* time_columns[] = {"latency_s", "latency_low_s", "latency_high_s", "device_s", "joules", "usd",
                                        "mfu"};

void bind_count(Statement& statement, int at, std::optional<Count> count) {
  if (!count) return statement.bind_null(at);
  if (count->fits_64()) return statement.bind(at, count->to_int64("a figure"));
  statement.bind(at, static_cast<double>(*count));
}

// From a place on; as figure_columns().
void bind_figures(Statement& statement, int at, const std::optional<JobFigures>& figures) {
  const int end = at + static_cast<int>(figure_columns().size());
  if (figures) {
    for (const FigureRow& row : figure_rows) bind_count(statement, at++, row.get(figures->totals.figures));
    statement.bind(at++, figures->totals.resident_bytes);
    if (figures->time) {
      const JobTime& t = *figures->time;
      for (const double seconds : {t.latency_s, t.low_s, t.high_s, t.device_s}) statement.bind(at++, seconds);
      for (const std::optional<double>& value : {t.joules, t.usd, t.mfu}) {
        value ? statement.bind(at, *value) : statement.bind_null(at);
        ++at;
      }
    }
  }
  while (at < end) statement.bind_null(at++);
}

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

std::string hex_of(JobHash hash) {
  return fmt::format("{:016x}{:016x}", static_cast<uint64_t>(hash >> 64U), static_cast<uint64_t>(hash));
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
      " overrides TEXT, base TEXT, axes INTEGER, jobs INTEGER, chunk INTEGER,"
      " began TEXT DEFAULT CURRENT_TIMESTAMP);\n"
      "CREATE TABLE chunks(sweep INTEGER, chunk INTEGER, owner TEXT, PRIMARY KEY(sweep, chunk)) WITHOUT ROWID;\n"
      "CREATE TABLE results(id INTEGER PRIMARY KEY, key BLOB NOT NULL, sweep INTEGER, changes TEXT, error TEXT, {});\n"
      "PRAGMA application_id={}; PRAGMA user_version={};",
      fmt::join(figure_columns(), ", "), application_id, format_version);
}

std::vector<std::string> axes_of(const Database& database, const std::string& schema, int64_t sweep) {
  std::vector<std::string> out;
  Statement columns = database.prepare(fmt::format("PRAGMA {}.table_info(jobs_{})", schema, sweep));
  while (columns.step()) {
    const std::string name = columns.text(1);
    if (name != "number" && name != "result") out.push_back(name);
  }
  return out;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += ", " + sql_name(name);
  return out;
}

void create_jobs(Database& database, int64_t sweep, const std::vector<std::string>& axes) {
  const std::string columns = quoted_list(axes);
  database.execute(fmt::format(
      "CREATE TABLE jobs_{0}(number INTEGER PRIMARY KEY, result INTEGER NOT NULL{1});\n"
      "CREATE VIEW sweep_{0} AS SELECT number AS job{1}, error, {2} FROM jobs_{0} JOIN results ON results.id=result;",
      sweep, columns, fmt::join(figure_columns(), ", ")));
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
  database.execute("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=8000");
}

Database made_store(const std::string& path) {
  Database out(path, Database::Mode::create);
  Transaction transaction(out);
  if (out.number("SELECT count(*) FROM sqlite_master") == 0) out.execute(create_text());
  transaction.commit();
  return open_store(path, Database::Mode::write);
}

}  // namespace

const std::vector<std::string>& figure_columns() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const FigureRow& row : figure_rows) out.emplace_back(row.name);
    out.emplace_back("resident_bytes");
    out.insert(out.end(), std::begin(time_columns), std::end(time_columns));
    return out;
  }();
  return names;
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

Database read_store(const std::string& path) {
  const bool writable = ::access(path.c_str(), W_OK) == 0;
  Database out = open_store(path, writable ? Database::Mode::write : Database::Mode::read);
  out.execute("PRAGMA query_only=ON");
  return out;
}

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

int64_t SweepStore::add(const SweepDescription& sweep, const std::string& identity) {
  Statement insert = database_.prepare(
      "INSERT INTO sweeps(identity, program, config_name, overrides, base, axes, jobs, chunk) VALUES(?,?,?,?,?,?,?,?)");
  int at = 0;
  const std::string overrides = fmt::format("{}", fmt::join(sweep.overrides, "\n"));
  for (const std::string* text : {&identity, &sweep.program, &sweep.config_name, &overrides, &sweep.base}) {
    insert.bind(++at, std::string_view(*text));
  }
  for (const int64_t number : {static_cast<int64_t>(sweep.axes.size()), sweep.jobs, sweep.chunk})
    insert.bind(++at, number);
  insert.run();
  const int64_t id = database_.number("SELECT last_insert_rowid()");
  create_jobs(database_, id, sweep.axes);
  return id;
}

SweepStore::Cursor SweepStore::cursor(int64_t sweep, Shard shard) const {
  const std::lock_guard lock(mutex_);
  Cursor out{sweep, shard};
  out.next = shard.number;
  out.jobs = database_.number(fmt::format("SELECT jobs FROM sweeps WHERE id={}", sweep));
  out.chunk_jobs = database_.number(fmt::format("SELECT chunk FROM sweeps WHERE id={}", sweep));
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
  const int64_t chunks = (cursor.jobs + cursor.chunk_jobs - 1) / cursor.chunk_jobs;
  const auto claimed = [&](int64_t chunk) {
    out = {chunk, chunk * cursor.chunk_jobs, std::min((chunk + 1) * cursor.chunk_jobs, cursor.jobs)};
    return Answer::claimed;
  };
  if (cursor.next >= chunks && cursor.others.empty()) return Answer::done;
  Transaction transaction(database_);
  while (cursor.next < chunks) {
    const int64_t chunk = cursor.next;
    cursor.next += cursor.shard.count;
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

int64_t SweepStore::insert_result(int64_t sweep, const JobRow& row) {
  if (!insert_result_) {
    std::string places;
    for (size_t i = 0; i < figure_columns().size(); ++i) places += ",?";
    insert_result_ =
        database_.prepare(fmt::format("INSERT INTO results(key, sweep, changes, error, {}) VALUES(?,?,?,?{})",
                                      fmt::join(figure_columns(), ", "), places));
  }
  Statement& insert = *insert_result_;
  const std::string key = bytes_of(row.key);
  insert.bind_blob(1, key);
  insert.bind(2, sweep);
  insert.bind(3, std::string_view(row.changes));
  row.error.empty() ? insert.bind_null(4) : insert.bind(4, std::string_view(row.error));
  bind_figures(insert, 5, row.figures);
  insert.run();
  return database_.last_insert();
}

Statement& SweepStore::jobs_insert(int64_t sweep, size_t axes) {
  if (insert_job_of_ != sweep) {
    std::string places;
    for (size_t i = 0; i < axes; ++i) places += ",?";
    insert_job_ = database_.prepare(fmt::format("INSERT OR REPLACE INTO jobs_{} VALUES(?,?{})", sweep, places));
    insert_job_of_ = sweep;
  }
  return *insert_job_;
}

void SweepStore::store(int64_t sweep, const Claim& claim, const std::vector<JobRow>& rows) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  const std::string chunk = fmt::format("sweep={} AND chunk={}", sweep, claim.chunk);
  // Another process may have taken this one for dead.
  if (database_.number(fmt::format("SELECT count(*) FROM chunks WHERE {} AND owner IS NULL", chunk)) != 0) return;
  for (const JobRow& row : rows) {
    const int64_t result = row.result ? *row.result : insert_result(sweep, row);
    Statement& job = jobs_insert(sweep, row.axes.size());
    job.bind(1, row.number);
    job.bind(2, result);
    int at = 2;
    for (const StoredValue& value : row.axes) job.bind(++at, value);
    job.run();
  }
  const bool again = std::any_of(rows.begin(), rows.end(), [](const JobRow& row) { return row.again; });
  database_.execute((again ? "DELETE FROM chunks WHERE " : "UPDATE chunks SET owner=NULL WHERE ") + chunk);
  transaction.commit();
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

// --- merging ---------------------------------------------------------------------------------------------------------

void SweepStore::merge(const std::string& other) {
  std::error_code ignored;
  if (std::filesystem::equivalent(other, path(), ignored)) {
    throw Error(fmt::format("{}: a store cannot be merged into itself", other));
  }
  static_cast<void>(read_store(other));
  const std::lock_guard lock(mutex_);
  Statement attach = database_.prepare("ATTACH ? AS other");
  attach.bind(1, std::string_view(other));
  attach.run();
  {
    Transaction transaction(database_);
    database_.execute("CREATE INDEX IF NOT EXISTS main.results_by_key ON results(key)");
    std::vector<int64_t> sweeps;
    Statement list = database_.prepare("SELECT id FROM other.sweeps ORDER BY id");
    while (list.step()) sweeps.push_back(list.integer(0));
    list.reset();
    for (const int64_t there : sweeps) merge_sweep(there);
    transaction.commit();
  }
  insert_result_.reset();
  insert_job_.reset();
  find_result_.reset();
  find_chunk_.reset();
  insert_job_of_ = 0;
  database_.execute("DETACH other");
}

void SweepStore::merge_sweep(int64_t there) {
  const std::vector<std::string> axes = axes_of(database_, "other", there);
  const std::string same =
      fmt::format("SELECT id FROM main.sweeps WHERE identity=(SELECT identity FROM other.sweeps WHERE id={})", there);
  int64_t here = database_.number(same);
  if (here == 0) {
    constexpr const char* columns = "identity, program, config_name, overrides, base, axes, jobs, chunk, began";
    database_.execute(
        fmt::format("INSERT INTO main.sweeps({0}) SELECT {0} FROM other.sweeps WHERE id={1}", columns, there));
    here = database_.number(same);
    create_jobs(database_, here, axes);
  }
  const std::string columns = quoted_list(axes);
  database_.execute(fmt::format(
      "INSERT INTO main.results(key, sweep, changes, error, {1}) SELECT key, {2}, changes, error, {1} FROM other.results"
      " AS r WHERE id IN (SELECT result FROM other.jobs_{0})"
      " AND NOT EXISTS(SELECT 1 FROM main.results WHERE key=r.key);"
      "INSERT INTO main.jobs_{2}(number, result{3}) SELECT number, (SELECT min(id) FROM main.results WHERE"
      " key=r.key){3} FROM other.jobs_{0} AS j JOIN other.results AS r ON r.id=j.result"
      " WHERE true ON CONFLICT(number) DO NOTHING;"
      "INSERT OR REPLACE INTO main.chunks(sweep, chunk, owner)"
      " SELECT {2}, chunk, NULL FROM other.chunks WHERE sweep={0} AND owner IS NULL;",
      there, fmt::join(figure_columns(), ", "), here, columns));
}

}  // namespace modelmeter
