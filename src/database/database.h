// SQLite: databases of our own (stores of sweeps) and of others (Nsight Systems). Statements that are made once, values
// of five types, Errors with the file and SQLite's own words. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace modelmeter {

// null, an integer, a float, a text
using StoredValue = std::variant<std::nullptr_t, int64_t, double, std::string>;

class Statement {
 public:
  // Values are numbered from 1, columns from 0. Texts and blobs are to stay until the statement has run.
  void bind(int at, const StoredValue& value);
  void bind(int at, int64_t value);
  void bind(int at, std::string_view text);
  void bind(int at, double value);
  void bind_blob(int at, std::string_view bytes);
  void bind_null(int at);
  // Whether there is a row; Error.
  bool step();
  // Runs it to its end, and makes it ready for other values.
  void run();
  void reset();

  StoredValue value(int column) const;
  int64_t integer(int column) const;
  std::string text(int column) const;
  int columns() const;
  std::string name(int column) const;

 private:
  friend class Database;
  Statement(std::string path, sqlite3_stmt* made);

  std::string path_;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_;
};

class Database {
 public:
  // immutable: to read where nobody can write, the file system being so. memory: of this process, for all who name it
  // while one has it.
  enum class Mode { read, write, create, immutable, memory };

  // Error where it is not there (but for `create`), or is no database.
  Database(const std::string& path, Mode mode);

  const std::string& path() const { return path_; }
  void execute(const std::string& sql);
  // Whatever it ends in.
  void try_to_execute(const char* sql) noexcept;
  Statement prepare(const std::string& sql) const;
  int64_t last_insert() const;
  // The first value of the first row; 0 where there is none.
  int64_t number(const std::string& sql) const;

 private:
  std::string path_;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> database_;
};

// A write that no other process comes between: committed, or rolled back where it is left by an Error.
class Transaction {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

// Another database beside one, while this lives, by a name that tables are called with: "staged.results".
class AttachedDatabase {
 public:
  // path: of a database, or Database::path() of one in memory.
  AttachedDatabase(Database& to, const std::string& path, const std::string& name);
  AttachedDatabase(const AttachedDatabase&) = delete;
  AttachedDatabase& operator=(const AttachedDatabase&) = delete;
  ~AttachedDatabase();

 private:
  Database& to_;
  std::string detach_;
};

// "a b" for a name in SQL.
std::string sql_name(std::string_view name);

}  // namespace modelmeter
