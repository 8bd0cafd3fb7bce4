#include "verify/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

std::string path_of(const std::string& name) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("modelmeter-csv-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  return (folder / name).string();
}

std::string written(const std::string& content) {
  const std::string path = path_of("plain.csv");
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

// The cells of a file, "|" between cells and "/" between rows, without the header "a,b".
std::string cells(const std::string& content) {
  const CsvTable table(written("a,b\n" + content));
  std::string out;
  for (size_t row = 0; row < table.rows(); ++row) {
    out += (row == 0 ? "" : "/") + table.text(row, "a") + "|" + table.text(row, "b");
  }
  return out;
}

TEST(CsvTable, ReadsAsRfc4180Says) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"1,2", "1|2"},  // no line break at the end
      {"1,2\n", "1|2"},
      {"1,2\r\n3,4\r\n", "1|2/3|4"},
      {",\n", "|"},
      {"1,\n,2\n", "1|/|2"},
      {"\"x, y\",2\n", "x, y|2"},
      {"\"x \"\"y\"\"\",2\n", "x \"y\"|2"},
      {"\"x\ny\",2\n", "x\ny|2"},
      {"\"x\r\ny\",2\n", "x\r\ny|2"},
      {"\"\",2\n", "|2"},
      {"\"\"\"\",2\n", "\"|2"},
      {" 1 ,2\n", " 1 |2"},
      {"1,2,3\n", "1|2"},  // more than the header has
  };
  for (const auto& [content, out] : cases) EXPECT_EQ(cells(content), out) << content;
}

TEST(CsvTable, ReadsGzippedFilesToo) {
  const std::string path = path_of("packed.csv.gz");
  const gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  gzputs(file, "a,b\n");
  for (int i = 0; i < 20000; ++i) gzprintf(file, "%d,%d\n", i, 2 * i);
  gzclose(file);
  const CsvTable table(path);
  ASSERT_EQ(table.rows(), 20000u);
  EXPECT_EQ(table.number(19999, "b"), 39998);
  // Cut off in the middle.
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_THROW(CsvTable cut(path), Error);
}

std::string error_of(const std::string& content, const std::function<void(const CsvTable&)>& read) {
  try {
    read(CsvTable(written(content)));
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    return error.what();
  }
}

TEST(CsvTable, NumbersAreNumbers) {
  const CsvTable table(written("a,b\n1.5,-2e3\n,x\n"));
  EXPECT_DOUBLE_EQ(table.number(0, "a"), 1.5);
  EXPECT_DOUBLE_EQ(table.number(0, "b"), -2000);
  EXPECT_DOUBLE_EQ(table.number(1, "a"), 0);
  EXPECT_DOUBLE_EQ(table.number(1, "c"), 0);
  EXPECT_THAT(error_of("a,b\n1,2\n3,4 us\n", [](const CsvTable& t) { t.number(1, "b"); }),
              HasSubstr("row 2: b is no number: '4 us'"));
}

TEST(CsvTable, ARowThatIsTooShortIsAnError) {
  EXPECT_THAT(error_of("a,b\n1\n", [](const CsvTable& t) { t.text(0, "b"); }),
              HasSubstr("row 1: 1 cells, the header has 2"));
}

TEST(CsvTable, ColumnsThatAreMissingAreNamedWithAllThatThereShouldBe) {
  const auto expect = [](const CsvTable& t) { t.expect_columns({"a", "c", "d"}, "a table of mine"); };
  EXPECT_THAT(error_of("a,b\n", expect),
              testing::AllOf(HasSubstr("no column 'c'"), HasSubstr("a table of mine has the columns a, c, d")));
  EXPECT_EQ(error_of("d,c,a\n", expect), "no error");
  EXPECT_THAT(error_of("", expect), HasSubstr("no column 'a'"));
}

}  // namespace
}  // namespace modelmeter
