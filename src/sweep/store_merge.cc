// Stores made one: what a store of other sweeps, or of other shards of the same, has and this one has not.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "sweep/store.h"

namespace modelmeter {
namespace {

std::vector<std::string> axes_of(const Database& database, const std::string& schema, int64_t sweep) {
  std::vector<std::string> out;
  Statement columns = database.prepare(fmt::format("PRAGMA {}.table_info(jobs_{})", schema, sweep));
  while (columns.step()) {
    const std::string name = columns.text(1);
    if (name != "number" && name != "result") out.push_back(name);
  }
  return out;
}

std::string stored_chunks(int64_t there, int64_t here) {
  return fmt::format(
      "INSERT OR REPLACE INTO main.chunks(sweep, chunk, owner)"
      " SELECT {1}, chunk, NULL FROM other.chunks WHERE sweep={0} AND owner IS NULL",
      there, here);
}

}  // namespace

void SweepStore::merge(const std::string& other) {
  std::error_code ignored;
  if (std::filesystem::equivalent(other, path(), ignored)) {
    throw Error(fmt::format("{}: a store cannot be merged into itself", other));
  }
  static_cast<void>(read_store(other));
  const std::lock_guard lock(mutex_);
  const AttachedDatabase attached(database_, other, "other");
  find_result_.reset();
  find_chunk_.reset();
  if (merge_shard()) return;
  Transaction transaction(database_);
  database_.execute("CREATE INDEX IF NOT EXISTS main.results_by_key ON results(key)");
  has_others_ = true;
  std::vector<Merged> sweeps;
  Statement all = database_.prepare("SELECT id FROM other.sweeps ORDER BY id");
  while (all.step()) sweeps.push_back({all.integer(0)});
  all.reset();
  for (Merged& sweep : sweeps) sweep = merge_sweep(sweep.there);
  // A job may have the result of a later sweep.
  for (const Merged& sweep : sweeps) merge_results(sweep);
  for (const Merged& sweep : sweeps) merge_jobs(sweep);
  transaction.commit();
}

// Of two stores of one sweep that have no job in common, all rows as they are. Whether they are such.
bool SweepStore::merge_shard() {
  const auto holds = [&](const std::string& condition) { return database_.number("SELECT " + condition) != 0; };
  constexpr const char* index = "EXISTS(SELECT 1 FROM {}.sqlite_master WHERE name='results_by_key')";
  if (holds(fmt::format(index, "main")) || holds(fmt::format(index, "other"))) return false;
  if (!holds("(SELECT count(*) FROM main.sweeps)<=1 AND (SELECT count(*) FROM other.sweeps)=1")) return false;
  Transaction transaction(database_);
  const int64_t id = database_.number("SELECT id FROM other.sweeps");
  const Merged sweep = merge_sweep(id);
  if (sweep.here != id || sweep.first_here != sweep.first_there) return false;
  if (holds(fmt::format("EXISTS(SELECT 1 FROM main.jobs_{0} JOIN other.jobs_{0} USING(number))", id))) return false;
  database_.execute("INSERT INTO main.results SELECT * FROM other.results");
  database_.execute(fmt::format("INSERT INTO main.jobs_{0} SELECT * FROM other.jobs_{0}", id));
  database_.execute(stored_chunks(id, id));
  transaction.commit();
  return true;
}

// The sweep here, which is made where it is not there.
SweepStore::Merged SweepStore::merge_sweep(int64_t there) {
  Merged out{there};
  const std::string same =
      fmt::format("SELECT id FROM main.sweeps WHERE identity=(SELECT identity FROM other.sweeps WHERE id={})", there);
  out.here = database_.number(same);
  if (out.here == 0) {
    constexpr const char* columns = "identity, program, config_name, overrides, base, axes, jobs, chunk, began";
    database_.execute(
        fmt::format("INSERT INTO main.sweeps({0}, first_result) SELECT {0}, {1} FROM other.sweeps WHERE id={2}",
                    columns, free_results(), there));
    out.here = database_.number(same);
    create_jobs(database_, out.here, axes_of(database_, "other", there));
  }
  out.first_there = database_.number(fmt::format("SELECT first_result FROM other.sweeps WHERE id={}", there));
  out.first_here = database_.number(fmt::format("SELECT first_result FROM main.sweeps WHERE id={}", out.here));
  return out;
}

// Those that are not here by their keys; what the machine failed there where the job is not here at all.
void SweepStore::merge_results(const Merged& sweep) {
  database_.execute(
      fmt::format("INSERT OR REPLACE INTO main.results(id, key, sweep, changes, error, {0})"
                  " SELECT id - {1} + {2}, key, {3}, changes, error, {0} FROM other.results AS r WHERE sweep={4} AND"
                  " CASE WHEN length(key)=0 THEN NOT EXISTS(SELECT 1 FROM main.results WHERE id=r.id - {1} + {2})"
                  " ELSE NOT EXISTS(SELECT 1 FROM main.results WHERE key=r.key) END",
                  fmt::join(figure_columns(), ", "), sweep.first_there, sweep.first_here, sweep.here, sweep.there));
}

void SweepStore::merge_jobs(const Merged& sweep) {
  std::string columns;
  for (const std::string& axis : axes_of(database_, "other", sweep.there)) columns += ", " + sql_name(axis);
  database_.execute(fmt::format(
      "INSERT INTO main.jobs_{1}(number, result{2}) SELECT number, CASE WHEN length(key)=0 THEN id - {3} + {4}"
      " ELSE (SELECT min(id) FROM main.results WHERE key=r.key) END{2}"
      " FROM other.jobs_{0} AS j JOIN other.results AS r ON r.id=j.result WHERE true ON CONFLICT(number) DO NOTHING",
      sweep.there, sweep.here, columns, sweep.first_there, sweep.first_here));
  database_.execute(stored_chunks(sweep.there, sweep.here));
}

}  // namespace modelmeter
