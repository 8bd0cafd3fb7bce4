#include "base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

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
  static std::vector<FileContent> pages(const std::string& content, int count = 20) {
    std::vector<FileContent> out;
    for (int i = 0; i < count; ++i) out.emplace_back("pages/" + std::to_string(i), content);
    return out;
  }
  void write(const std::vector<FileContent>& to_write, const std::vector<std::string>& dropped = {"pages"}) const {
    write_folder(path("a"), to_write, dropped);
  }
  std::string folder_error(const std::vector<FileContent>& to_write) const {
    try {
      write(to_write);
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1);
      return error.message();
    }
  }
  std::vector<std::string> at_top() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(FolderTest, HoldTheFilesOfOneRun) {
  auto old = pages("old", 30);
  old.emplace_back("extra", "old");
  old.emplace_back("report", "old");
  write(old);
  EXPECT_EQ(files().size(), 32u);
  auto next = pages("new");
  next.emplace_back("report", "new");
  write(next, {"pages", "extra"});
  EXPECT_EQ(files().size(), 21u);
  for (const auto& [name, content] : next) EXPECT_EQ(read_file(path("a/" + name)), "new");
  write({{"report", "new"}});  // the same, and no pages
  EXPECT_THAT(files(), testing::ElementsAre("a/report"));
  EXPECT_THAT(at_top(), testing::ElementsAre("a"));  // nothing beside it is left
}

TEST_F(FolderTest, KeepWhatIsNotOfARun) {
  write({{"report", "old"}});
  write_files({{path("a/mine"), "m"}, {path("a/inner/mine"), "i"}});
  fs::create_symlink("nowhere", folder / "a/link");
  fs::permissions(folder / "a", fs::perms::owner_all);
  write({{"report", "new"}, {"inner/theirs", "t"}});
  EXPECT_THAT(files(), testing::ElementsAre("a/inner/mine", "a/inner/theirs", "a/link", "a/mine", "a/report"));
  EXPECT_EQ(read_file(path("a/report")), "new");
  EXPECT_EQ(read_file(path("a/mine")), "m");
  EXPECT_EQ(read_file(path("a/inner/mine")), "i");
  EXPECT_EQ(fs::read_symlink(folder / "a/link"), "nowhere");
  EXPECT_EQ(fs::status(folder / "a").permissions(), fs::perms::owner_all);
}

TEST_F(FolderTest, AreLeftAloneWhereTheyAreTheSame) {
  const auto inode = [&] {
    struct stat status;
    EXPECT_EQ(::stat(path("a/pages/7").c_str(), &status), 0);
    return status.st_ino;
  };
  write(pages("1"));
  const auto before = inode();
  write(pages("1"));
  EXPECT_EQ(inode(), before);
  auto other = pages("1");
  other[19].second = "10";
  write(other);
  EXPECT_NE(inode(), before);
  EXPECT_EQ(read_file(path("a/pages/19")), "10");
  other[19].second = "";
  write(other);
  EXPECT_EQ(read_file(path("a/pages/19")), "");
}

TEST_F(FolderTest, AreWrittenThroughALink) {
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "a");
  write(pages("1"));
  EXPECT_TRUE(fs::is_symlink(folder / "a"));
  EXPECT_EQ(read_file(path("elsewhere/pages/19")), "1");
}

TEST_F(FolderTest, AreNotWrittenInPlaceOfAFileOrWhereAPageIsNoFile) {
  write_files({{path("a"), "a file"}});
  EXPECT_THAT(folder_error(pages("1")), HasSubstr("cannot make the folder"));
  EXPECT_THAT(files(), testing::ElementsAre("a"));
  fs::remove(folder / "a");
  fs::create_directories(folder / "a/pages/7");
  EXPECT_THAT(folder_error(pages("1")), HasSubstr("Is a directory"));
  EXPECT_THAT(files(), testing::ElementsAre());
  fs::remove(folder / "a/pages/7");
  ASSERT_EQ(::mkfifo(path("a/pages/7").c_str(), 0600), 0);
  EXPECT_THAT(folder_error(pages("1")), HasSubstr("no regular file"));
  fs::remove(folder / "a/pages/7");
  fs::create_symlink("../../planted", folder / "a/pages/7");
  EXPECT_THAT(folder_error(pages("1")), HasSubstr("a link stands in its place"));
  EXPECT_THAT(files(), testing::ElementsAre("a/pages/7"));
}

TEST_F(FolderTest, AreWrittenAllOrNoneWhenTheDiskFillsUp) {
  write(pages("old"));
  auto all = pages("new");
  all[10].second = std::string(1000, 'x');
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = folder_error(all);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, testing::AllOf(HasSubstr("cannot write"), HasSubstr("a/pages/10: ")));
  EXPECT_THAT(at_top(), testing::ElementsAre("a"));
  EXPECT_EQ(files().size(), 20u);
  for (const auto& [name, content] : pages("old")) EXPECT_EQ(read_file(path("a/" + name)), content);
}

// Writers are killed at every moment; whoever looks sees one run, and the next writer leaves nothing of theirs.
TEST_F(FolderTest, AreOfOneRunWheneverAWriterIsKilled) {
  write(pages("0"));
  for (int i = 1; i <= 60; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      write(pages(std::to_string(i)));
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(i * 15));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string content = read_file(path("a/pages/0"));
    for (int page = 1; page < 20; ++page) ASSERT_EQ(read_file(path("a/pages/" + std::to_string(page))), content);
  }
  write(pages("last"));
  EXPECT_THAT(at_top(), testing::ElementsAre("a"));
}

// The temporaries of a writer that lives are not removed by another.
TEST_F(FolderTest, AreOfOneRunWhereTwoAreWrittenAtOnce) {
  std::vector<pid_t> children;
  for (const char* content : {"x", "y", "z"}) {
    children.push_back(::fork());
    ASSERT_GE(children.back(), 0);
    if (children.back() != 0) continue;
    int code = 0;
    for (int i = 0; i < 30 && code == 0; ++i) {
      try {
        write(pages(content + std::to_string(i)));
        write_files({{path("file"), content}});
      } catch (const Error& error) {
        std::cerr << error.what() << "\n";
        code = 1;
      }
    }
    ::_exit(code);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const std::string content = read_file(path("a/pages/0"));
  for (int page = 1; page < 20; ++page) EXPECT_EQ(read_file(path("a/pages/" + std::to_string(page))), content);
  EXPECT_THAT(at_top(), testing::ElementsAre("a", "file"));
}

// --- one file that a user named ---

class NamedFileTest : public FilesTest {
 protected:
  std::string write_error(const std::string& name) const {
    try {
      write_file(path(name), "new");
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1);
      return error.message();
    }
  }
};

TEST_F(NamedFileTest, StaleTemporariesAreRemovedAndPlantedLinksNotFollowed) {
  write_files({{path("victim"), "v"}, {path(".out.0123456789abcdef.tmp"), "stale"}, {path(".out.tmp"), "mine"}});
  fs::create_symlink("victim", folder / ".out.fedcba9876543210.tmp");
  write_file(path("out"), "new");
  EXPECT_THAT(files(), testing::ElementsAre(".out.tmp", "out", "victim", "victim"));  // the link names it
  EXPECT_EQ(read_file(path("victim")), "v");
}

TEST_F(NamedFileTest, ALinkStaysAndWhatItNamesIsReplaced) {
  write_files({{path("b/real"), "old"}});
  fs::create_symlink("b/real", folder / "link");
  fs::create_symlink("b/new", folder / "dangling");
  fs::create_symlink("circle", folder / "circle");
  fs::permissions(folder / "b/real", fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(write_error("link"), "no error");
  EXPECT_EQ(write_error("dangling"), "no error");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(path("b/real")), "new");
  EXPECT_EQ(read_file(path("b/new")), "new");
  EXPECT_EQ(fs::status(folder / "b/real").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(write_error("circle"), HasSubstr("Too many levels of symbolic links"));
}

TEST_F(NamedFileTest, WhatIsNoFileIsWrittenIntoAndNeverReplaced) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(write_error("fifo"), HasSubstr("nobody reads this FIFO"));
  const int reader = ::open(path("fifo").c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_EQ(write_error("fifo"), "no error");
  char found[8] = {};
  EXPECT_EQ(::read(reader, found, sizeof(found)), 3);
  EXPECT_STREQ(found, "new");
  ::close(reader);
  EXPECT_TRUE(fs::is_fifo(folder / "fifo"));
  fs::create_symlink("/dev/null", folder / "null");
  EXPECT_EQ(write_error("null"), "no error");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  fs::create_directory(folder / "folder");
  EXPECT_THAT(write_error("folder"), HasSubstr("Is a directory"));
  const int file = ::open(path("open").c_str(), O_WRONLY | O_CREAT, 0600);
  fs::create_symlink("/proc/self/fd/" + std::to_string(file), folder / "descriptor");
  EXPECT_EQ(write_error("descriptor"), "no error");
  EXPECT_EQ(write_error("descriptor"), "no error");
  ::close(file);
  EXPECT_EQ(read_file(path("open")), "newnew");
}

TEST_F(FilesTest, AreReadUpToABound) {
  write_files({{path("a"), std::string(100, 'x')}});
  EXPECT_EQ(read_file(path("a"), 100).size(), 100u);
  EXPECT_THROW(read_file(path("a"), 99), Error);
  EXPECT_THROW(read_file("/dev/zero"), Error);
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
