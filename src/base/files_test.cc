#include "base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string name = (fs::temp_directory_path() / "modelmeter-files-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~FilesTest() override { fs::remove_all(folder); }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_directory()) out.push_back(fs::relative(entry.path(), folder).string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string error_of(const std::vector<std::pair<std::string, std::string>>& to_write) const {
    try {
      write_files(to_write);
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1);
      return error.message();
    }
  }

  fs::path folder;
};

TEST_F(FilesTest, AreWrittenWithTheirFolders) {
  write_files({{path("a/b/one"), "1"}, {path("two"), std::string("2\0x", 3)}});
  EXPECT_THAT(files(), testing::ElementsAre("a/b/one", "two"));
  EXPECT_EQ(read_file(path("a/b/one")), "1");
  EXPECT_EQ(read_file(path("two")), std::string("2\0x", 3));
}

TEST_F(FilesTest, ReplaceOlderOnes) {
  write_files({{path("a"), "old and longer"}});
  write_files({{path("a"), "new"}});
  EXPECT_EQ(read_file(path("a")), "new");
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(FilesTest, AreNotWrittenWhereOneOfThemIsAFolder) {
  fs::create_directory(folder / "b");
  EXPECT_THAT(error_of({{path("a"), "1"}, {path("b"), "2"}}), HasSubstr("Is a directory"));
  EXPECT_THAT(files(), testing::ElementsAre());
}

TEST_F(FilesTest, AreNotWrittenBelowAFile) {
  write_files({{path("file"), ""}});
  EXPECT_THAT(error_of({{path("a"), "1"}, {path("file/b"), "2"}}), HasSubstr("cannot make the folder"));
  EXPECT_THAT(files(), testing::ElementsAre("file"));
}

// Stands for a disk that fills up while the second file is written.
TEST_F(FilesTest, AreWrittenAllOrNoneWhenTheDiskFillsUp) {
  write_files({{path("a"), "old"}});
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of({{path("a"), "new"}, {path("b"), std::string(1000, 'x')}, {path("c"), "z"}});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, testing::AllOf(HasSubstr("cannot write"), HasSubstr("/b: ")));
  EXPECT_THAT(files(), testing::ElementsAre("a"));
  EXPECT_EQ(read_file(path("a")), "old");
}

// --- folders that are written as a whole ---

class FolderTest : public FilesTest {
 protected:
  std::vector<std::pair<std::string, std::string>> pages(const std::string& content, int count = 20) const {
    std::vector<std::pair<std::string, std::string>> out;
    for (int i = 0; i < count; ++i) out.emplace_back(path("a/pages/" + std::to_string(i)), content);
    return out;
  }
};

TEST_F(FolderTest, AreWrittenWithWhatElseThereIs) {
  auto all = pages("1");
  all.emplace_back(path("a/summary"), "s");
  write_files(all);
  EXPECT_EQ(files().size(), 21u);
  for (const auto& [name, content] : all) EXPECT_EQ(read_file(name), content);
}

TEST_F(FolderTest, KeepWhatIsNotReplaced) {
  write_files(pages("old", 30));
  write_files({{path("a/pages/mine"), "m"}});
  fs::permissions(folder / "a/pages", fs::perms::owner_all);
  write_files(pages("new"));
  EXPECT_EQ(files().size(), 31u);
  EXPECT_EQ(read_file(path("a/pages/0")), "new");
  EXPECT_EQ(read_file(path("a/pages/19")), "new");
  EXPECT_EQ(read_file(path("a/pages/20")), "old");
  EXPECT_EQ(read_file(path("a/pages/mine")), "m");
  EXPECT_EQ(fs::status(folder / "a/pages").permissions(), fs::perms::owner_all);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "a"), {}), 1);  // nothing beside it is left
}

TEST_F(FolderTest, AreLeftAloneWhereTheyAreTheSame) {
  const auto inode = [&] {
    struct stat status;
    EXPECT_EQ(::stat(path("a/pages/7").c_str(), &status), 0);
    return status.st_ino;
  };
  write_files(pages("1"));
  const auto before = inode();
  write_files(pages("1"));
  EXPECT_EQ(inode(), before);
  auto other = pages("1");
  other[19].second = "10";
  write_files(other);
  EXPECT_NE(inode(), before);
  EXPECT_EQ(read_file(path("a/pages/19")), "10");
  other[19].second = "";
  write_files(other);
  EXPECT_EQ(read_file(path("a/pages/19")), "");
}

TEST_F(FolderTest, KeepFoldersInThem) {
  write_files({{path("a/pages/inner/mine"), "m"}, {path("a/pages/0"), "old"}});
  write_files(pages("new"));
  EXPECT_EQ(files().size(), 21u);
  EXPECT_EQ(read_file(path("a/pages/inner/mine")), "m");
  EXPECT_EQ(read_file(path("a/pages/0")), "new");
}

TEST_F(FolderTest, AreWrittenThroughALink) {
  fs::create_directories(folder / "elsewhere");
  fs::create_directories(folder / "a");
  fs::create_directory_symlink(folder / "elsewhere", folder / "a/pages");
  write_files(pages("1"));
  EXPECT_TRUE(fs::is_symlink(folder / "a/pages"));
  EXPECT_EQ(read_file(path("elsewhere/19")), "1");
}

TEST_F(FolderTest, AreNotWrittenInPlaceOfAFileOrWhereAPageIsAFolder) {
  write_files({{path("a/pages"), "a file"}});
  EXPECT_THAT(error_of(pages("1")), HasSubstr("cannot make the folder"));
  EXPECT_THAT(files(), testing::ElementsAre("a/pages"));
  fs::remove(folder / "a/pages");
  fs::create_directories(folder / "a/pages/7");
  EXPECT_THAT(error_of(pages("1")), HasSubstr("Is a directory"));
  EXPECT_THAT(files(), testing::ElementsAre());
}

TEST_F(FolderTest, AreWrittenAllOrNoneWhenTheDiskFillsUp) {
  write_files(pages("old"));
  auto all = pages("new");
  all[10].second = std::string(1000, 'x');
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of(all);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, testing::AllOf(HasSubstr("cannot write"), HasSubstr("/pages/10: ")));
  EXPECT_EQ(files().size(), 20u);
  for (const auto& [name, content] : pages("old")) EXPECT_EQ(read_file(name), content);
}

TEST_F(FilesTest, ReadingSaysWhatIsWrong) {
  const auto error = [&](const std::string& name) -> std::string {
    try {
      read_file(name);
      return "no error";
    } catch (const Error& e) {
      return e.message();
    }
  };
  EXPECT_THAT(error(path("nowhere")), HasSubstr("nowhere: No such file or directory"));
  EXPECT_EQ(error(folder.string()), folder.string() + " is a folder, not a file");
}

}  // namespace
}  // namespace modelmeter
