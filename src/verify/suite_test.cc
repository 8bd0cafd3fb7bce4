// Folders of references: which are taken, in which order, and what is said of them. The references are copies of those
// in the tree.
#include "verify/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/files.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Suite : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("modelmeter-suite-") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "mine");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string recorded(const std::string& workload, const std::string& name) {
    return read_file(std::string(MODELMETER_SOURCE_DIR) + "/tests/reference/" + workload + "/" + name + ".json");
  }
  void put(const std::string& name, const std::string& text) const { std::ofstream(mine() / (name + ".json")) << text; }
  void copy(const std::string& name) const { put(name, recorded("dsocr-ci-tiny", name)); }
  fs::path mine() const { return folder_ / "mine"; }
  static std::vector<std::string> names(const std::vector<VerifiedReference>& references) {
    std::vector<std::string> out;
    for (const VerifiedReference& r : references) out.push_back(r.name);
    return out;
  }

  fs::path folder_;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST_F(Suite, IsInTheOrderOfThePipelineThenByName) {
  for (const char* name : {"ocr-head", "ocr-decode-flash", "ocr-sam-autocast", "ocr-layer-moe-decode-flash",
                           "ocr-layer-dense-decode-eager", "ocr-layer-dense-prefill-flash"}) {
    copy(name);
  }
  std::ofstream(mine() / "notes.txt") << "no reference";
  const auto all = verify_suite(mine().string(), SuiteView::pipeline);
  EXPECT_THAT(names(all),
              ElementsAre("ocr-sam-autocast", "ocr-layer-dense-decode-eager", "ocr-layer-dense-prefill-flash",
                          "ocr-layer-moe-decode-flash", "ocr-head", "ocr-decode-flash"));
  EXPECT_TRUE(all_equal(all));
  EXPECT_THAT(suite_text(all, SuiteView::pipeline), testing::EndsWith("\n\n6 references, no difference\n"));
  // A whole model's forward is decode's alone.
  EXPECT_THAT(names(verify_suite(mine().string(), SuiteView::end2end)), ElementsAre("ocr-decode-flash"));
  EXPECT_EQ(verify_suite(mine().string(), SuiteView::layers).size(), 6u);
}

TEST_F(Suite, OneOfSeveralThatDiffersIsNamed) {
  copy("ocr-head");
  put("other", replaced(recorded("dsocr-ci-tiny", "ocr-head"), "\"flops\":212480000,\"read\":2938480",
                        "\"flops\":212480007,\"read\":2938480"));
  const auto both = verify_suite(mine().string(), SuiteView::pipeline);
  ASSERT_THAT(names(both), ElementsAre("ocr-head", "other"));
  EXPECT_TRUE(both[0].comparison.equal());
  EXPECT_FALSE(both[1].comparison.equal());
  EXPECT_FALSE(all_equal(both));
  EXPECT_TRUE(all_equal({both[0]}));
  EXPECT_TRUE(all_equal({}));
  const std::string text = suite_text(both, SuiteView::pipeline);
  EXPECT_THAT(text, testing::EndsWith("\n2 references, 1 of them DIFFERENT: other\n"));
  // In the table: what the reference has, and by how much ours is above it, below the row.
  EXPECT_THAT(text, testing::ContainsRegex("\nocr-head +head .* =\n"));
  EXPECT_THAT(text, testing::ContainsRegex(
                        "\nother +head .*212480000 .* DIFFERENT\n  reference .*212480007 .*\n  difference +-7 *"));
  EXPECT_THAT(text, HasSubstr("\nother\nreference: "));  // its own totals below
  EXPECT_THAT(text, Not(HasSubstr("\nocr-head\nreference: ")));
}

TEST_F(Suite, LayersShowEveryModule) {
  copy("ocr-head");
  put("other", replaced(recorded("dsocr-ci-tiny", "ocr-head"), "\"class\":\"Linear\",\"calls\":1",
                        "\"class\":\"Linear\",\"calls\":3"));
  const std::string text = suite_text(verify_suite(mine().string(), SuiteView::layers), SuiteView::layers);
  EXPECT_THAT(text, HasSubstr("ocr-head (head)\nreference: "));
  EXPECT_THAT(text, testing::ContainsRegex("\n\\(whole\\) +DeepseekOCRForCausalLM +1 +1280000 +2560000 .* =\n"));
  EXPECT_THAT(text, testing::ContainsRegex(
                        "\nlm_head +Linear +1 .* DIFFERENT\n  reference +Linear +3 .*\n  difference +-2 *\n"));
}

TEST_F(Suite, AFolderWithoutReferencesIsAnError) {
  const auto message = [](const std::function<void()>& run) -> std::string {
    try {
      run();
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const std::string root = folder_.string();
  EXPECT_THAT(message([&] { verify_suite(mine().string(), SuiteView::layers); }),
              HasSubstr("mine: there is no reference"));
  EXPECT_THAT(message([&] { verify_suite(root + "/nowhere", SuiteView::layers); }), HasSubstr("nowhere: No such file"));
  EXPECT_EQ(suite_folder(root, "mine"), root + "/mine");
  EXPECT_THAT(message([&] { suite_folder(root, "mien"); }),
              AllOf(HasSubstr("no references of workload 'mien'"), HasSubstr("did you mean 'mine'?")));
  EXPECT_THAT(message([&] { suite_folder(root + "/nowhere", "mine"); }), HasSubstr("there are no references in"));
  copy("ocr-head");
  EXPECT_THAT(message([&] { verify_suite(mine().string(), SuiteView::end2end); }),
              HasSubstr("there is no reference of a whole model's forward"));
  put("broken", "{");
  EXPECT_THAT(message([&] { verify_suite(mine().string(), SuiteView::layers); }),
              HasSubstr("broken.json: not a JSON file"));
}

TEST(SuiteView, HasThreeNames) {
  EXPECT_EQ(parse_suite_view("layers"), SuiteView::layers);
  EXPECT_EQ(parse_suite_view("end2end"), SuiteView::end2end);
  EXPECT_EQ(parse_suite_view("pipeline"), SuiteView::pipeline);
  try {
    parse_suite_view("end2en");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("unknown mode 'end2en'"), HasSubstr("did you mean 'end2end'?"),
                                    HasSubstr("--reference FILE compares one recording")));
  }
}

}  // namespace
}  // namespace modelmeter
