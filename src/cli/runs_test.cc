// The folders of runs and multiruns, as Hydra 1.3.2 leaves them: config/recorded/runs.txt.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/files.h"
#include "cli/program.h"
#include "config/interpolation.h"
#include "config/recorded_answers.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;
using config::Node;

// As a shell splits it: blanks, and quotes around them.
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> out;
  bool within = false;
  char quote = '\0';
  for (const char c : line) {
    if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote == '\0' && c == ' ') {
      within = false;
    } else {
      if (!within) out.emplace_back();
      within = true;
      out.back() += c;
    }
  }
  return out;
}

// The exit status of the program in a folder, in a process of its own.
int status_of(const std::vector<std::string>& words, const fs::path& folder) {
  const pid_t child = fork();
  if (child == 0) {
    ::setenv("MODELMETER_DATA_DIR", MODELMETER_SOURCE_DIR, 1);
    fs::current_path(folder);
    if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr)
      _exit(2);
    _exit(program(words));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string said_of_file(const fs::path& folder, const std::string& path) {
  std::string out = path + "\n";
  const std::string name = fs::path(path).filename().string();
  if (name == "overrides.yaml") {
    const Node words = config::parse_yaml(read_file((folder / path).string()), path);
    for (const Node& word : words.items()) out += "  " + word.as_string() + "\n";
  }
  if (name != "hydra.yaml") return out;
  const Node whole = config::parse_yaml(read_file((folder / path).string()), path);
  for (const char* key : {"mode", "overrides.hydra", "overrides.task", "job.name", "job.chdir", "job.override_dirname",
                          "job.id", "job.num", "job.config_name", "job.env_set", "runtime.output_dir"}) {
    const std::optional<Node> node =
        config::select_as_is(whole, std::string("hydra.") + key, config::Resolvers::standard());
    std::string value = node ? config::python_str(*node) : "nothing";
    static const std::set<std::string> usual = {"None", "??\?", "{}", "[]", "", "modelmeter", "wan2_1_t2v_1_3b"};
    if (usual.count(value) != 0) continue;
    const std::string here = folder.string();
    for (size_t at = 0; (at = value.find(here)) != std::string::npos;) value.replace(at, here.size(), "$PWD");
    out += fmt::format("  {}: {}\n", key, value);
  }
  return out;
}

// Files of Hydra's; our reports and tables are others.
std::string files_of(const fs::path& folder) {
  static const std::set<std::string> names = {"config.yaml",   "hydra.yaml",     "overrides.yaml",
                                              "multirun.yaml", "modelmeter.log", "mine.log"};
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && names.count(entry.path().filename().string()) != 0) {
      paths.push_back(fs::relative(entry.path(), folder).string());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::string out;
  for (const std::string& path : paths) out += said_of_file(folder, path);
  return out;
}

TEST(RecordedAnswers, FoldersOfRuns) {
  const config::Reasons deviations = {};
  config::Answers answers(deviations);
  const std::vector<config::Question> questions = config::read_questions("runs.txt");
  EXPECT_GE(questions.size(), config::at_least(60));
  const fs::path folder = fs::canonical(fs::temp_directory_path()) / fmt::format("runs_test_{}", getpid());
  for (const config::Question& question : questions) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::vector<std::string> words = {"analyze", "--quiet", "--config-name", "wan2_1_t2v_1_3b"};
    for (std::string& word : shell_words(question.text)) words.push_back(std::move(word));
    const int status = status_of(words, folder);
    const std::string ours = fmt::format("exit {}\n", status) + files_of(folder);
    answers.compare(question.text, ours, question.answer, ours == question.answer);
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace modelmeter::cli
