#include "database/database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace modelmeter {
namespace {

constexpr int patience_ms = 120'000;  // for another process' transaction

// With what the system said, where that is why: "unable to open database file (Read-only file system)".
Error failure(const std::string& path, sqlite3* database) {
  constexpr int primary = 0xff;
  const int code = sqlite3_errcode(database) & primary, reason = sqlite3_system_errno(database);
  std::string text = sqlite3_errmsg(database);
  if ((code == SQLITE_CANTOPEN || code == SQLITE_IOERR) && reason != 0) {
    text += fmt::format(" ({})", std::generic_category().message(reason));
  }
  return Error(fmt::format("{}: {}", path, text));
}

// A path within a URI.
std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out;
}

// What SQLite opens. A name that begins as a URI is one only in memory.
std::string opened_name(const std::string& path, Database::Mode mode) {
  if (mode == Database::Mode::memory) return fmt::format("file:/{}?vfs=memdb", path);
  if (mode == Database::Mode::immutable) return fmt::format("file:{}?immutable=1", escaped(path));
  return path.rfind("file:", 0) == 0 ? "./" + path : path;
}

int flags_of(Database::Mode mode) {
  switch (mode) {
    case Database::Mode::read:
    case Database::Mode::immutable: return SQLITE_OPEN_READONLY;
    case Database::Mode::write: return SQLITE_OPEN_READWRITE;
    case Database::Mode::create:
    case Database::Mode::memory: break;
  }
  return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
}

}  // namespace

Statement::Statement(std::string path, sqlite3_stmt* made)
    : path_(std::move(path)), statement_(made, sqlite3_finalize) {}

void Statement::bind(int at, int64_t value) { sqlite3_bind_int64(statement_.get(), at, value); }

void Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_blob(int at, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), at, bytes.data(), bytes.size(), SQLITE_STATIC);
}

void Statement::bind(int at, double value) { sqlite3_bind_double(statement_.get(), at, value); }

void Statement::bind_null(int at) { sqlite3_bind_null(statement_.get(), at); }

void Statement::bind(int at, const StoredValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    bind(at, *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    bind(at, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    bind(at, std::string_view(*text));
  } else {
    bind_null(at);
  }
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) throw failure(path_, sqlite3_db_handle(statement_.get()));
  return code == SQLITE_ROW;
}

void Statement::run() {
  while (step()) {}
  reset();
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

StoredValue Statement::value(int column) const {
  switch (sqlite3_column_type(statement_.get(), column)) {
    case SQLITE_INTEGER: return integer(column);
    case SQLITE_FLOAT: return sqlite3_column_double(statement_.get(), column);
    case SQLITE_NULL: return nullptr;
    default: return text(column);
  }
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);  // of a text its letters, zeros among them
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

int Statement::columns() const { return sqlite3_column_count(statement_.get()); }

std::string Statement::name(int column) const { return sqlite3_column_name(statement_.get(), column); }

Database::Database(const std::string& path, Mode mode)
    : path_(mode == Mode::memory ? opened_name(path, mode) : path), database_(nullptr, sqlite3_close) {
  std::error_code ignored;
  const bool must_be_there = mode != Mode::create && mode != Mode::memory;
  if (must_be_there && !std::filesystem::exists(path, ignored)) throw Error(fmt::format("{}: no such file", path));
  if ((mode == Mode::create || mode == Mode::write) && ::access(path.c_str(), W_OK) != 0 && errno != ENOENT) {
    throw Error(fmt::format("{}: cannot be written: {}", path, std::generic_category().message(errno)));
  }
  // Nobody asks how much memory SQLite has, which all threads would count in turn.
  static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(uncounted);
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(opened_name(path, mode).c_str(), &opened,
                                   flags_of(mode) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  database_.reset(opened);
  if (code != SQLITE_OK) throw failure(path_, opened);
  sqlite3_busy_timeout(opened, patience_ms);
  // "a b" is a name: where there is none it is an error, not a text.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw failure(path_, database_.get());
  }
}

void Database::try_to_execute(const char* sql) noexcept {
  sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
}

Statement Database::prepare(const std::string& sql) const {
  sqlite3_stmt* made = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &made, nullptr) != SQLITE_OK) {
    throw failure(path_, database_.get());
  }
  return {path_, made};
}

int64_t Database::last_insert() const { return sqlite3_last_insert_rowid(database_.get()); }

int64_t Database::number(const std::string& sql) const {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

Transaction::Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (open_) database_.try_to_execute("ROLLBACK");  // fails where SQLite did it already
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

AttachedDatabase::AttachedDatabase(Database& to, const std::string& path, const std::string& name)
    : to_(to), detach_("DETACH " + sql_name(name)) {
  Statement attach = to_.prepare("ATTACH ? AS " + sql_name(name));
  attach.bind(1, std::string_view(path));
  attach.run();
}

AttachedDatabase::~AttachedDatabase() { to_.try_to_execute(detach_.c_str()); }

std::string sql_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    out += c;
    if (c == '"') out += c;
  }
  return out + '"';
}

}  // namespace modelmeter
