#include "config/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "config/yaml.h"

namespace modelmeter::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

using Files = std::map<std::string, std::string>;

Repository memory(const Files& files, const std::vector<std::string>& config_dirs = {}) {
  return Repository(std::make_shared<MemoryFileSystem>(files), "conf", config_dirs);
}

const Files& app() {
  static const Files files = {
      {"conf/config.yaml", "defaults:\n  - db: mysql\n  - _self_\n  - server: null\nname: app\nmodel:\n  hidden: 8\n"},
      {"conf/db/mysql.yaml", "driver: mysql\nport: 3306\n"},
      {"conf/db/pg.yaml", "driver: pg\nport: 5432\nurl: ${.driver}://${name}\n"},
      {"conf/server/apache.yaml", "defaults:\n  - /db@backup: pg\nhost: a\n"},
      {"conf/exp/big.yaml", "# @package _global_\ndefaults:\n  - override /db: pg\nmodel:\n  hidden: 64\n"},
      {"extra/db/lite.yaml", "driver: lite\nport: 0\n"},
  };
  return files;
}

std::string composed(const std::vector<std::string>& overrides, const Files& files = app()) {
  return to_yaml(compose(memory(files), "config", overrides).config);
}

Error error_of(const std::vector<std::string>& overrides, const Files& files = app(),
               const std::string& name = "config") {
  try {
    compose(memory(files), name, overrides);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

TEST(Compose, DefaultsThenSelf) {
  EXPECT_EQ(composed({}), "db:\n  driver: mysql\n  port: 3306\nname: app\nmodel:\n  hidden: 8\n");
}

// OmegaConf: what is missing is to be given by someone else; it takes no value's place, and a value takes its place.
TEST(Compose, AMissingValueTakesNoValuesPlace) {
  const Files files = {{"conf/config.yaml", "defaults:\n  - a: one\n  - _self_\na:\n  host: ???\n  port: 2\n"},
                       {"conf/a/one.yaml", "host: 1\nport: ???\n"}};
  EXPECT_EQ(composed({}, files), "a:\n  host: 1\n  port: 2\n");
}

TEST(Compose, ChoosesOptions) {
  const Composition run = compose(memory(app()), "config", {"db=pg", "server=apache"});
  EXPECT_EQ(to_yaml(resolve(run)),
            "db:\n  driver: pg\n  port: 5432\n  url: pg://app\nname: app\nmodel:\n  hidden: 8\nserver:\n  backup:\n"
            "    driver: pg\n    port: 5432\n    url: pg://app\n  host: a\n");
  EXPECT_THAT(run.choices, Contains(Pair("db", "pg")));
  EXPECT_THAT(run.choices, Contains(Pair("db@server.backup", "pg")));
  EXPECT_THAT(run.files,
              ElementsAre("conf/db/pg.yaml", "conf/config.yaml", "conf/db/pg.yaml", "conf/server/apache.yaml"));
  EXPECT_THAT(run.overrides, ElementsAre("db=pg", "server=apache"));
}

TEST(Compose, ExperimentOverridesGroupsAndValues) {
  EXPECT_EQ(composed({"+exp=big", "model.hidden=65"}),
            "db:\n  driver: pg\n  port: 5432\n  url: ${.driver}://${name}\nname: app\nmodel:\n  hidden: 65\n");
}

TEST(Compose, ValuesKnowWhoSetThem) {
  const Composition run = compose(memory(app()), "config", {"+exp=big", "db.port=1"});
  const SourceSpan file = run.config.find("model")->find("hidden")->span();
  EXPECT_EQ(file.file, "conf/exp/big.yaml");
  EXPECT_EQ(file.line, 5);
  const SourceSpan word = run.config.find("db")->find("port")->span();
  EXPECT_EQ(word.file, "<command line>");
  EXPECT_EQ(word.text, "db.port=1");
  EXPECT_EQ(word.column, 9);
}

TEST(Compose, ChangesAddsAndRemoves) {
  EXPECT_EQ(composed({"~db", "name=x", "+model.depth=2", "++new.deep.key=[1,{a:2}]", "~model.hidden"}),
            "name: x\nmodel:\n  depth: 2\nnew:\n  deep:\n    key:\n    - 1\n    - a: 2\n");
}

TEST(Compose, OtherDirectoriesAddOptions) {
  const Composition run = compose(memory(app(), {"extra"}), "config", {"db=lite"});
  EXPECT_EQ(run.config.find("db")->find("driver")->as_string(), "lite");
  EXPECT_THAT(memory(app(), {"extra"}).options("db"), ElementsAre("lite", "mysql", "pg"));
  EXPECT_EQ(compose(memory(app()), "config", {"hydra.searchpath=[file://extra]", "db=lite"}).files[0],
            "extra/db/lite.yaml");
}

// The first that has a file wins: the program's own, the primary folder, hydra.searchpath in its order, --config-dir.
TEST(Compose, TheSearchPathIsInThisOrder) {
  const Files files = {{"conf/config.yaml", "defaults:\n  - db: a\nhydra:\n  searchpath: [one, file://two]\n"},
                       {"conf/db/a.yaml", "from: conf\n"},
                       {"one/db/a.yaml", "from: one\n"},
                       {"one/db/b.yaml", "from: one\n"},
                       {"two/db/b.yaml", "from: two\n"},
                       {"two/db/c.yaml", "from: two\n"},
                       {"extra/db/c.yaml", "from: extra\n"},
                       {"extra/db/d.yaml", "from: extra\n"},
                       {"extra/db/a.yaml", "from: extra\n"},
                       {"extra/only/x.yaml", "from: extra\n"}};
  const Repository repository = memory(files, {"extra/"});
  for (const auto& [option, from] : {std::pair{"a", "conf"}, {"b", "one"}, {"c", "extra"}, {"d", "extra"}}) {
    const Composition run = compose(repository, "config", {std::string("db=") + option});
    EXPECT_EQ(run.config.find("db")->find("from")->as_string(), from) << option;
  }
  std::string path;
  const Repository searched = repository.with_search_path({"one", "pkg://a.b"}, "hydra.searchpath in main");
  for (const SearchPathEntry& entry : searched.search_path()) {
    path += entry.provider + " " + entry.path + "; ";
  }
  EXPECT_EQ(path.substr(path.find("main")),
            "main file://conf; command-line file://extra; hydra.searchpath in main file://one; "
            "hydra.searchpath in main pkg://a.b; ");
  EXPECT_THAT(searched.options("db"), ElementsAre("a", "b", "c", "d"));  // each once
  EXPECT_TRUE(repository.has_group("only"));
  EXPECT_FALSE(repository.has_group("nothing"));
  EXPECT_THAT(repository.groups(""), Contains("only"));
  EXPECT_THAT(repository.groups(""), Contains("db"));
  EXPECT_THAT(repository.groups("db"), ElementsAre());
  EXPECT_TRUE(repository.has_config("db/d.yaml"));
  EXPECT_FALSE(repository.has_config("db/b"));  // the folders of hydra.searchpath are not in it yet
}

TEST(Compose, AFolderThatIsNotThereIsRefused) {
  const auto message = [](const std::function<void()>& run) {
    try {
      run();
    } catch (const Error& error) {
      return error.message() + (error.notes().empty() ? "" : "; " + error.notes()[0]);
    }
    return std::string("no error");
  };
  const auto files = std::make_shared<MemoryFileSystem>(app());
  EXPECT_EQ(message([&] { Repository(files, "nowhere"); }),
            "Primary config directory not found: 'nowhere' must exist and be readable");
  EXPECT_EQ(
      message([&] { Repository(files, "conf/config.yaml"); }),
      "Primary config directory not found: 'conf/config.yaml' must exist and be readable; 'conf/config.yaml' is a "
      "file");
  EXPECT_EQ(message([&] { Repository(files, "conf", {"extra", "more"}); }),
            "Additional config directory 'more' not found");
  EXPECT_EQ(message([&] { memory(app()).load("config.yml"); }),
            "Unsupported config file extension '.yml'. Config files must use the '.yaml' extension.");
}

TEST(FileSystems, OnDiskAndInMemoryAgree) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(::testing::TempDir()) / "modelmeter-file-systems";
  const Files files = {{"a/x.yaml", "1"}, {"a/b/y.yaml", "2"}, {"ab/z.yaml", "3"}};
  Files there;
  for (const auto& [path, text] : files) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
    there[(root / path).string()] = text;
  }
  const MemoryFileSystem memory_files(there);
  const DiskFileSystem disk;
  for (const char* path : {"a", "a/b", "ab", "a/x.yaml", "a/b/y.yaml", "a/x", "nothing", "a/b/c"}) {
    const std::string full = (root / path).string();
    EXPECT_EQ(disk.is_file(full), memory_files.is_file(full)) << path;
    EXPECT_EQ(disk.is_directory(full), memory_files.is_directory(full)) << path;
    EXPECT_EQ(disk.list(full), memory_files.list(full)) << path;
    EXPECT_EQ(disk.read(full), memory_files.read(full)) << path;
  }
  EXPECT_THAT(disk.list((root / "a").string()), ElementsAre("b", "x.yaml"));
  fs::remove_all(root);
}

TEST(Compose, ThePrimaryConfigMayAddDirectories) {
  Files files = app();
  files["conf/config.yaml"] += "hydra:\n  searchpath: [extra]\n";
  EXPECT_EQ(compose(memory(files), "config", {"db=lite"}).files[0], "extra/db/lite.yaml");
}

// Counts how often each file is read.
class CountingFiles : public MemoryFileSystem {
 public:
  using MemoryFileSystem::MemoryFileSystem;
  std::optional<std::string> read(const std::string& path) const override {
    if (is_file(path)) ++reads[path];
    return MemoryFileSystem::read(path);
  }
  mutable std::map<std::string, int> reads;
};

TEST(Compose, ReadsEachFileOnce) {
  const auto files = std::make_shared<CountingFiles>(app());
  compose(Repository(files, "conf"), "config", {"server=apache", "+exp=big"});
  EXPECT_THAT(files->reads, ElementsAre(Pair("conf/config.yaml", 1), Pair("conf/db/pg.yaml", 1),
                                        Pair("conf/exp/big.yaml", 1), Pair("conf/server/apache.yaml", 1)));
}

TEST(Compose, ListsOfOptions) {
  EXPECT_EQ(composed({"db=[mysql,pg]", "~model"}),
            "db:\n  driver: pg\n  port: 5432\n  url: ${.driver}://${name}\nname: app\n");
}

TEST(Compose, HydraNode) {
  const Composition run =
      compose(memory(app()), "config", {"hydra.run.dir=out", "hydra/job_logging=none", "+id=${hydra:job.name}"});
  EXPECT_EQ(run.hydra.find("run")->find("dir")->as_string(), "out");
  EXPECT_EQ(resolve(run).find("id")->as_string(), "modelmeter");
  EXPECT_EQ(run.config.find("hydra"), nullptr);
  EXPECT_THAT(run.hydra_overrides, ElementsAre("hydra.run.dir=out", "hydra/job_logging=none"));
  EXPECT_THAT(error_of({"hydra.rum.dir=out"}).notes(), Contains("did you mean 'run'?"));
}

// Hydra 1.3 and 1.4 lose the body of such a config.
TEST(Compose, BodyIsKeptBesideOverridesOnly) {
  const Files files = {{"conf/config.yaml", "defaults:\n  - override hydra/job_logging: none\na: 1\n"},
                       {"conf/db/x.yaml", "b: 2\n"}};
  EXPECT_EQ(composed({"+db=x"}, files), "a: 1\ndb:\n  b: 2\n");
}

TEST(Compose, LastOverrideWins) {
  const Files files = {{"conf/config.yaml", "defaults:\n  - db: a\n  - one\n  - two\n"},
                       {"conf/one.yaml", "defaults:\n  - override db: b\n"},
                       {"conf/two.yaml", "defaults:\n  - override db: c\n"},
                       {"conf/db/a.yaml", "v: a\n"},
                       {"conf/db/b.yaml", "v: b\n"},
                       {"conf/db/c.yaml", "v: c\n"}};
  EXPECT_EQ(composed({}, files), "db:\n  v: c\n");
  EXPECT_EQ(composed({"db=b"}, files), "db:\n  v: b\n");
}

TEST(Compose, InterpolatedOptions) {
  const Files files = {{"conf/config.yaml", "defaults:\n  - model: small\n  - data: ${model}_${opt}\n  - opt: sgd\n"},
                       {"conf/model/small.yaml", "m: 1\n"},
                       {"conf/opt/sgd.yaml", "o: 1\n"},
                       {"conf/data/small_sgd.yaml", "d: 1\n"}};
  EXPECT_EQ(composed({}, files), "model:\n  m: 1\ndata:\n  d: 1\nopt:\n  o: 1\n");
}

TEST(Compose, OptionWithASlashIsASubgroup) {
  const Files files = {{"conf/config.yaml", "defaults:\n  - db: sql/my\n"},
                       {"conf/db/sql/my.yaml", "v: my\n"},
                       {"conf/db/sql/pg.yaml", "v: pg\n"}};
  EXPECT_EQ(composed({"db/sql=pg"}, files), "db:\n  sql:\n    v: pg\n");
}

TEST(ComposeErrors, UnknownKey) {
  const Error error = error_of({"model.hiden=3"});
  EXPECT_EQ(error.message(), "Could not override 'model.hiden'.");
  EXPECT_EQ(error.span().text, "model.hiden=3");
  EXPECT_THAT(error.notes(), Contains("did you mean 'hidden'?"));
  EXPECT_THAT(error.notes(), Contains("Key 'hiden' is not in struct"));
  EXPECT_THAT(error.notes(), Contains("To append to your config use +model.hiden=3"));
}

TEST(ComposeErrors, UnknownOption) {
  const Error error = error_of({"db=mysq"});
  EXPECT_EQ(error.message(), "In 'config': Could not find 'db/mysq'");
  EXPECT_EQ(error.span().file, "<command line>");
  EXPECT_THAT(error.notes(), Contains("did you mean 'mysql'?"));
  EXPECT_THAT(error.notes(), Contains("Available options in 'db':\n  mysql\n  pg"));
}

TEST(ComposeErrors, UnknownPrimary) {
  const Error error = error_of({}, app(), "confg");
  EXPECT_THAT(error.message(), HasSubstr("Cannot find primary config 'confg'"));
  EXPECT_THAT(error.notes(), Contains("did you mean 'config'?"));
  EXPECT_THAT(error.notes(), Contains("available configs: config"));
}

TEST(ComposeErrors, OptionThatMustBeChosen) {
  Files files = app();
  files["conf/config.yaml"] =
      "defaults:\n  - db: ??"
      "?\n";
  const Error error = error_of({}, files);
  EXPECT_EQ(error.message(), "You must specify 'db', e.g, db=<OPTION>");
  EXPECT_EQ(error.span().line, 2);
  EXPECT_THAT(error.notes(), Contains("Available options in 'db':\n  mysql\n  pg"));
}

TEST(ComposeErrors, OfOverrides) {
  EXPECT_THAT(error_of({"+name=x"}).message(), HasSubstr("An item is already at 'name'"));
  EXPECT_THAT(error_of({"~nope"}).message(), HasSubstr("'nope' does not exist"));
  EXPECT_THAT(error_of({"~name=other"}).message(), HasSubstr("The value of 'name' is app and not other"));
  EXPECT_THAT(error_of({"db=1,2"}).message(), HasSubstr("Ambiguous value for argument 'db=1,2'"));
  EXPECT_THAT(error_of({"name=range(1,3)"}).message(), HasSubstr("composes one job"));
  EXPECT_THAT(error_of({"db@x=pg"}).message(), HasSubstr("Could not override 'db@x'"));
  EXPECT_THAT(error_of({"nogroup/x=pg"}).message(), HasSubstr("config group 'nogroup/x' does not exist"));
  EXPECT_THAT(error_of({"model=[1]"}).message(), HasSubstr("Cannot merge DictConfig with ListConfig"));
  EXPECT_THAT(error_of({"++db=pg"}).message(), HasSubstr("force-add of config groups is not supported"));
  EXPECT_THAT(error_of({"db=5"}).message(), HasSubstr("must be a string or a list"));
  EXPECT_THAT(error_of({"+db=pg"}).message(), HasSubstr("Multiple values for db"));
  EXPECT_THAT(error_of({"name=${"}).message(), HasSubstr("found"));
}

TEST(ComposeErrors, OfFiles) {
  const auto with = [](const std::string& config) {
    Files files = app();
    files["conf/config.yaml"] = config;
    return error_of({}, files);
  };
  EXPECT_THAT(with("defaults:\n  db: pg\n").message(), HasSubstr("defaults must be a list (got mapping)"));
  EXPECT_THAT(with("defaults:\n  - _self_\n  - _self_\n").message(), HasSubstr("Duplicate _self_"));
  EXPECT_THAT(with("defaults:\n  - {a: b, c: d}\n").message(), HasSubstr("Too many keys in default item"));
  EXPECT_THAT(with("defaults:\n  - 5\n").message(), HasSubstr("Unsupported type in defaults : int"));
  EXPECT_THAT(with("defaults:\n  - optionl db: pg\n").notes(), Contains("did you mean 'optional'?"));
  EXPECT_THAT(with("defaults:\n  - override db: pg\n  - db: mysql\n").message(),
              HasSubstr("is defined before 'db: mysql'"));
  EXPECT_THAT(with("defaults:\n  - override server/db: pg\n").message(), HasSubstr("No earlier Group Default"));
  EXPECT_THAT(with("defaults:\n  - db: ${oops}\n").message(), HasSubstr("Error resolving interpolation '${oops}'"));
  EXPECT_THAT(with("defaults:\n  - ../x\n").message(), HasSubstr("'..' is not supported"));
  EXPECT_THAT(with("# @package a b\nx: 1\n").message(), HasSubstr("Too many components"));
  EXPECT_THAT(with("# @package _group_\nx: 1\n").message(), HasSubstr("no longer supported"));
  EXPECT_THAT(with("- 1\n").message(), HasSubstr("must be a DictConfig, got ListConfig"));
  const Error merge_error = with("defaults:\n  - db: pg\ndb: [1]\n");
  EXPECT_THAT(merge_error.message(), HasSubstr("In 'config': Cannot merge DictConfig with ListConfig"));
  EXPECT_EQ(merge_error.span().line, 3);
}

TEST(ComposeErrors, Directories) {
  const auto files = std::make_shared<MemoryFileSystem>(app());
  EXPECT_THROW(Repository(files, "nowhere"), Error);
  EXPECT_THROW(Repository(files, "conf", {"nowhere"}), Error);
  EXPECT_THROW(Repository(files, "conf/config.yaml"), Error);
}

TEST(Compose, DefaultsTreeLines) {
  const Composition run = compose(memory(app()), "config", {"server=apache"});
  EXPECT_THAT(run.trees.back().lines(), ElementsAre("config:", "  db: mysql", "  _self_",
                                                    "  server: apache:", "    db@server.backup: pg", "    _self_"));
}

TEST(Compose, ReadsTheDisk) {
  namespace fs = std::filesystem;
  const fs::path dir = fs::path(::testing::TempDir()) / "modelmeter_compose_test";
  fs::create_directories(dir / "db");
  std::ofstream(dir / "config.yaml") << "defaults:\n  - db: x\n";
  std::ofstream(dir / "db" / "x.yaml") << "v: 1\n";
  const Composition run = compose(Repository(dir.string()), "config.yaml", {});
  EXPECT_EQ(to_yaml(run.config), "db:\n  v: 1\n");
  EXPECT_THROW(Repository((dir / "config.yaml").string()), Error);
  fs::remove_all(dir);
}

// A key that a word makes on the way has the place of that key, not of the value.
TEST(Compose, KeysOfAWordHaveTheirPlaces) {
  const Composition run = compose(
      Repository(
          std::make_shared<MemoryFileSystem>(std::map<std::string, std::string>{{"conf/config.yaml", "a: {b: 1}\n"}}),
          "conf"),
      "config", {"++a.made.deep=1"}, {});
  const Node& made = *run.config.find("a")->find("made");
  EXPECT_EQ(run.config.find("a")->entries().back().key_mark.column, 5);
  EXPECT_EQ(made.entries().back().key_mark.column, 10);
  EXPECT_EQ(made.entries().back().value.mark().column, 15);
}

}  // namespace
}  // namespace modelmeter::config
