#include "sweep/named_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/yaml.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

class NamedFilesTest : public testing::Test {
 protected:
  NamedFilesTest() : folder_(fs::temp_directory_path() / ("named_files_" + std::to_string(getpid()))) {
    fs::create_directories(folder_ / "checkpoint/transformer");
    write("a.json", "{\"layers\": 1}");
    write("checkpoint/model_index.json", "{}");
    write("checkpoint/transformer/config.json", "{}");
    write("checkpoint/README.md", "not read");
  }
  ~NamedFilesTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  // As a program that starts sees it.
  std::optional<JobHash> hash_of(const std::string& name) {
    return NamedFiles({folder_.string()}).hash_of((folder_ / name).string());
  }

  fs::path folder_;
};

TEST_F(NamedFilesTest, AChangedFileIsAnother) {
  const auto before = hash_of("a.json");
  EXPECT_TRUE(before);
  EXPECT_EQ(hash_of("a.json"), before);
  write("a.json", "{\"layers\": 2}");
  EXPECT_NE(hash_of("a.json"), before);
  write("a.json", "{\"layers\": 1}");
  EXPECT_EQ(hash_of("a.json"), before);
}

TEST_F(NamedFilesTest, OfACheckpointTheFilesThatAreRead) {
  for (const char* name : {"checkpoint", "checkpoint/model_index.json"}) {
    const auto before = hash_of(name);
    ASSERT_TRUE(before) << name;
    write("checkpoint/README.md", std::string("other ") + name);
    EXPECT_EQ(hash_of(name), before) << name;
    write("checkpoint/transformer/config.json", std::string("{\"by\": \"") + name + "\"}");
    EXPECT_NE(hash_of(name), before) << name;
  }
}

TEST_F(NamedFilesTest, OfALongFileTheBeginningAndTheSize) {
  write("long.gguf", "GGUF");
  fs::resize_file(folder_ / "long.gguf", NamedFiles::whole_bytes + 1);
  const auto before = hash_of("long.gguf");
  EXPECT_EQ(hash_of("long.gguf"), before);
  fs::resize_file(folder_ / "long.gguf", NamedFiles::whole_bytes + 2);
  EXPECT_NE(hash_of("long.gguf"), before);
}

TEST_F(NamedFilesTest, LinesOfValuesThatNameOne) {
  NamedFiles files({folder_.string()});
  const config::Node node = config::parse_data(
      "{hf: {config_path: a.json, id: none/such}, list: [checkpoint/, 1], report: {output_dir: a.json}}", "test.yaml");
  std::vector<CanonicalLine> lines;
  files.add_lines(node, lines);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].key, "(file) hf.config_path");
  EXPECT_EQ(lines[1].key, "(file) list.0");
  EXPECT_EQ(lines[0].text.rfind("(file) hf.config_path: ", 0), 0U);
}

}  // namespace
}  // namespace modelmeter
