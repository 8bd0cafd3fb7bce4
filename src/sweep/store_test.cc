#include "sweep/store.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/error.h"
#include "sweep/run_sweep.h"

namespace modelmeter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name = "s.sqlite") const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() /
      (std::string("store_test_") + ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
       std::to_string(getpid()));
};

SweepDescription numbers(int64_t jobs, int64_t chunk) {
  SweepDescription out;
  out.config_name = "c";
  out.program = "test";
  out.overrides = {"n=range(0," + std::to_string(jobs) + ")"};
  out.base = "n: 0\n";
  out.axes = {"n"};
  out.jobs = jobs;
  out.chunk = chunk;
  return out;
}

// Job n has n FLOPs. Every seventh is refused; `dies_at`: the process is killed before it.
class Numbers : public JobRunner {
 public:
  explicit Numbers(std::atomic<int64_t>* evaluated, int64_t dies_at = -1) : evaluated_(evaluated), dies_at_(dies_at) {}

  void run(JobRow& row, const FindResult& find) override {
    if (row.number == dies_at_) ::kill(getpid(), SIGKILL);
    row.key = hash_of_line("n: " + std::to_string(row.number));
    row.axes = {row.number};
    row.changes = "n: " + std::to_string(row.number) + "\n";
    row.result = find(row.key);
    if (row.result) return;
    ++*evaluated_;
    if (row.number % 7 == 3) {
      row.error = "refused: " + std::to_string(row.number);
      return;
    }
    row.figures.emplace();
    row.figures->totals.figures.flops_full = row.number;
  }

 private:
  std::atomic<int64_t>* evaluated_;
  int64_t dies_at_;
};

bool jobs_begin_apart = false;

int64_t run(SweepStore& store, const SweepDescription& sweep, int threads, int64_t dies_at = -1, Shard shard = {}) {
  std::atomic<int64_t> evaluated = 0;
  const SweepRun one{store.begin(sweep), shard, threads, jobs_begin_apart,
                     [&] { return std::make_unique<Numbers>(&evaluated, dies_at); }};
  run_sweep(store, one);
  return evaluated;
}

// Each job once, with its own figures or its own error.
void expect_whole(const std::string& path, int64_t jobs) {
  const Database database = open_store(path, Database::Mode::read);
  Statement rows = database.prepare("SELECT job, n, flops_full, error FROM sweep_1 ORDER BY job");
  int64_t next = 0;
  for (; rows.step(); ++next) {
    ASSERT_EQ(rows.integer(0), next);
    ASSERT_EQ(rows.integer(1), next);
    if (next % 7 == 3) {
      ASSERT_EQ(rows.text(3), "refused: " + std::to_string(next));
    } else {
      ASSERT_EQ(rows.integer(2), next);
    }
  }
  EXPECT_EQ(next, jobs);
  EXPECT_EQ(database.number("SELECT count(*) FROM results"), jobs);
}

TEST_F(StoreTest, EveryJobIsStoredOnceFailuresAmongThem) {
  SweepStore store(file());
  EXPECT_EQ(run(store, numbers(1000, 30), 3), 1000);
  expect_whole(file(), 1000);
  EXPECT_EQ(store.failed(1), 143);
  EXPECT_EQ(store.first_failure(1)->first, 3);
  EXPECT_EQ(run(store, numbers(1000, 30), 3), 0) << "evaluated again";
}

TEST_F(StoreTest, SoItIsWhereThreadsBeginApart) {
  jobs_begin_apart = true;
  SweepStore store(file());
  EXPECT_EQ(run(store, numbers(1000, 7), 4, -1, {1, 3}) + run(store, numbers(1000, 7), 3), 1000);
  jobs_begin_apart = false;
  expect_whole(file(), 1000);
}

TEST_F(StoreTest, WhatAKilledProcessStoredIsNotDoneAgain) {
  const pid_t child = fork();
  if (child == 0) {
    SweepStore store(file());
    run(store, numbers(1000, 10), 1, 605);
    _exit(0);  // it does not come here
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(open_store(file(), Database::Mode::read).number("SELECT count(*) FROM jobs_1"), 600);
  SweepStore store(file());
  EXPECT_EQ(run(store, numbers(1000, 10), 2), 400);
  expect_whole(file(), 1000);
}

TEST_F(StoreTest, TwoProcessesShareOneStore) {
  const pid_t child = fork();
  if (child == 0) {
    SweepStore store(file());
    run(store, numbers(5000, 10), 1);
    _exit(0);
  }
  SweepStore store(file());
  run(store, numbers(5000, 10), 2);
  // It ends only when all is stored, the child's part too.
  EXPECT_EQ(store.stored(1), 5000);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  expect_whole(file(), 5000);
}

TEST_F(StoreTest, ShardsAreMergedToTheWhole) {
  for (int64_t i = 0; i < 3; ++i) {
    SweepStore store(file(std::to_string(i)));
    run(store, numbers(100, 4), 1, -1, {i, 3});
  }
  SweepStore all(file());
  for (const char* shard : {"2", "0", "1", "1"}) all.merge(file(shard));
  EXPECT_EQ(all.stored(1), 100);
  expect_whole(file(), 100);
  EXPECT_EQ(run(all, numbers(100, 4), 1), 0) << "evaluated again";
}

// Which of them is copied as it is, and which row by row, does not show.
TEST_F(StoreTest, ShardsThatOverlapAreMergedToo) {
  {
    SweepStore a(file("a")), b(file("b"));
    run(a, numbers(100, 4), 1, -1, {0, 2});
    run(b, numbers(100, 4), 1, -1, {0, 3});
    run(b, numbers(100, 4), 1, -1, {1, 2});
  }
  SweepStore all(file());
  all.merge(file("a"));
  all.merge(file("b"));
  expect_whole(file(), 100);
  SweepStore others(file("others"));
  run(others, numbers(10, 5), 1);
  others.merge(file("b"));
  others.merge(file("a"));
  EXPECT_EQ(others.stored(2), 100);
  EXPECT_EQ(others.failed(2), 14);
  EXPECT_EQ(run(others, numbers(100, 4), 2), 0) << "evaluated again";
}

TEST_F(StoreTest, AnotherSweepTakesResultsThatAreThere) {
  SweepStore store(file());
  run(store, numbers(50, 5), 1);
  EXPECT_EQ(run(store, numbers(80, 5), 1), 30);
  EXPECT_EQ(store.stored(2), 80);
}

// A result may belong to a sweep that came after the one whose job it is of.
TEST_F(StoreTest, ResultsOfALaterSweepAreMergedWithTheJobsThatTookThem) {
  {
    SweepStore store(file("other"));
    run(store, numbers(40, 5), 1, -1, {0, 2});
    run(store, numbers(60, 5), 1);
    run(store, numbers(40, 5), 1);
  }
  SweepStore all(file());
  all.merge(file("other"));
  EXPECT_EQ(all.stored(1), 40);
  EXPECT_EQ(all.stored(2), 60);
  EXPECT_THROW(all.merge(file()), Error);  // into itself
}

TEST_F(StoreTest, OtherValuesAreAnotherSweep) {
  SweepStore store(file());
  SweepDescription sweep = numbers(10, 5);
  const int64_t first = store.begin(sweep);
  EXPECT_EQ(store.begin(sweep), first);
  sweep.values = 1;
  EXPECT_NE(store.begin(sweep), first);
}

// What the machine failed is tried again by the next run, which keeps the rest.
TEST_F(StoreTest, WhatTheMachineFailedIsNotKept) {
  SweepStore store(file());
  const int64_t sweep = store.begin(numbers(1, 1));
  SweepStore::Cursor cursor = store.cursor(sweep, {});
  SweepStore::Claim claim;
  ASSERT_EQ(store.claim(cursor, claim), SweepStore::Answer::claimed);
  JobRow row;
  row.key = 1;
  row.axes = {int64_t{0}};
  row.error = "no space left";
  row.again = true;
  StagedRows rows = store.staged_rows(sweep);
  rows.write({row});
  store.store(sweep, claim, rows);
  EXPECT_EQ(store.failed(sweep), 1);
  EXPECT_EQ(run(store, numbers(1, 1), 1), 1);
  EXPECT_EQ(store.failed(sweep), 0);
}

// Of a chunk in which the machine failed one job, the others stay what they were, for other sweeps too.
TEST_F(StoreTest, TheRestOfAChunkThatIsTriedAgainStays) {
  SweepStore store(file());
  const int64_t sweep = store.begin(numbers(3, 3));
  SweepStore::Cursor cursor = store.cursor(sweep, {});
  SweepStore::Claim claim;
  ASSERT_EQ(store.claim(cursor, claim), SweepStore::Answer::claimed);
  std::atomic<int64_t> evaluated = 0;
  Numbers numbers_of(&evaluated);
  std::vector<JobRow> rows(3);
  const FindResult none = [](JobHash) { return std::nullopt; };
  for (int64_t i = 0; i < 3; ++i) {
    rows[static_cast<size_t>(i)].number = i;
    numbers_of.run(rows[static_cast<size_t>(i)], none);
  }
  rows[1].figures.reset();
  rows[1].error = "no space left";
  rows[1].again = true;
  StagedRows staged = store.staged_rows(sweep);
  staged.write(rows);
  store.store(sweep, claim, staged);
  EXPECT_EQ(run(store, numbers(5, 5), 1), 3) << "the failed one, and two more";
  EXPECT_EQ(store.failed(2), 1);  // job 3 is refused
  EXPECT_EQ(run(store, numbers(3, 3), 1), 0) << "found in the other sweep";
  EXPECT_EQ(store.stored(1), 3);
  EXPECT_EQ(store.failed(1), 0);
}

TEST_F(StoreTest, OtherFilesAreRefused) {
  Database(file(), Database::Mode::create).execute("CREATE TABLE a(b)");
  try {
    const SweepStore store(file());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no store of sweeps"));
  }
}

TEST(JobKey, FollowsFromWhatAConfigurationSaysNotFromItsOrderOrReport) {
  using config::Node;
  const Node a = Node::map({{{"x"}, Node::integer(1), {}}, {{"y"}, Node::string("1"), {}}});
  const Node b = Node::map({{{"y"}, Node::string("1"), {}},
                            {{"x"}, Node::integer(1), {}},
                            {{"report"}, Node::map({{{"run_id"}, Node::string("r"), {}}}), {}}});
  const Node c = Node::map({{{"x"}, Node::integer(1), {}}, {{"y"}, Node::integer(1), {}}});
  EXPECT_TRUE(hash_of_lines(canonical_lines(a)) == hash_of_lines(canonical_lines(b)));
  EXPECT_FALSE(hash_of_lines(canonical_lines(a)) == hash_of_lines(canonical_lines(c)));
  EXPECT_EQ(canonical_text(canonical_lines(a)), "x: 1\ny: \"1\"\n");
  EXPECT_EQ(changes_of(canonical_lines(a), canonical_lines(c)), "y: 1\n");
}

}  // namespace
}  // namespace modelmeter
