#include "base/edit_distance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace modelmeter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(EditDistance, CountsInsertionsDeletionsSubstitutionsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", "abc"), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);  // the example of the textbooks
  EXPECT_EQ(edit_distance("heigth", "height"), 1);   // a swap
  EXPECT_EQ(edit_distance("ab", "ba"), 1);
  EXPECT_EQ(edit_distance("width", "widht"), 1);
  EXPECT_EQ(edit_distance("offical", "official"), 1);
}

TEST(EditDistance, IgnoresCase) { EXPECT_EQ(edit_distance("WanModel", "wanmodel"), 0); }

TEST(EditDistance, IsSymmetricAndBounded) {
  EXPECT_TRUE(
      rc::check("symmetric, 0 for equal, at most the longer length", [](const std::string& a, const std::string& b) {
        const int distance = edit_distance(a, b);
        RC_ASSERT(distance == edit_distance(b, a));
        RC_ASSERT(distance >= 0);
        RC_ASSERT(distance <= static_cast<int>(std::max(a.size(), b.size())));
        RC_ASSERT(edit_distance(a, a) == 0);
      }));
}

const std::vector<std::string> names = {"num_frames", "height", "width", "batch_size", "text_len"};

TEST(Nearest, FindsTypos) {
  EXPECT_EQ(nearest("num_frame", names), "num_frames");
  EXPECT_EQ(nearest("heigth", names), "height");
  EXPECT_EQ(nearest("with", names), "width");
}

TEST(Nearest, FindsBeginningsOfAtLeastThreeLetters) {
  EXPECT_EQ(nearest("bat", names), "batch_size");
  EXPECT_EQ(nearest("ba", names), "");
}

TEST(Nearest, FindsNothingForWhatIsFarOrShort) {
  EXPECT_EQ(nearest("temperature", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest("xy", {"ab"}), "");  // nothing in common
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(Nearest, TiesGoToTheFirst) { EXPECT_EQ(nearest("cat", {"bat", "rat"}), "bat"); }

TEST(NearestModel, IsNeverAnotherOne) {
  const std::vector<std::string> variants = {"t2v-14B", "t2v-1.3B", "i2v-14B", "vace-14B", "t2v-A14B", "ti2v-5B"};
  for (const char* other : {"s2v-14B", "s2v", "animate-14B", "i2v-5B", "i2v-A14B", "t2v-5B", "vace-1.3B", ""}) {
    EXPECT_THAT(nearest_models(other, variants), IsEmpty()) << other;
  }
  EXPECT_THAT(nearest_models("s2v", {"t2v", "i2v"}), IsEmpty());
  EXPECT_THAT(nearest_models("wan2-1-270p", {"wan2-1-720p", "wan2-1-720p-81f"}), IsEmpty());
  EXPECT_THAT(nearest_models("wan2_2_animate_14b", {"wan2_1_vace_14b", "wan2_2_t2v_a14b"}), IsEmpty());
}

TEST(NearestModel, FindsCaseSeparatorsBeginningsAndMisspeltWords) {
  const std::vector<std::string> entries = {"wan2_1_t2v_14b", "wan2_1_t2v_14b_pipeline", "wan2_1_i2v_14b_480p",
                                            "wan2_1_i2v_14b_720p", "deepseek_ocr"};
  EXPECT_THAT(nearest_models("WAN2.1-T2V-14B", entries), ElementsAre("wan2_1_t2v_14b"));
  EXPECT_THAT(nearest_models("wan2_1_t2v", entries), ElementsAre("wan2_1_t2v_14b"));  // the other goes on from it
  EXPECT_THAT(nearest_models("wan2_1_i2v", entries), ElementsAre("wan2_1_i2v_14b_480p", "wan2_1_i2v_14b_720p"));
  EXPECT_THAT(nearest_models("wan2_1_t2v_14b_pipline", entries), ElementsAre("wan2_1_t2v_14b_pipeline"));
  EXPECT_THAT(nearest_models("deepsek_ocr", entries), ElementsAre("deepseek_ocr"));
  EXPECT_THAT(nearest_models("h100_sxn", {"a100_sxm", "h100_pcie", "h100_sxm"}), ElementsAre("h100_sxm"));
  EXPECT_THAT(nearest_models("offical", {"official", "diffusers"}), ElementsAre("official"));
}

TEST(NearestModels, AreAFewThatItBeginsOrNone) {
  EXPECT_THAT(nearest_models("h100", {"a100_sxm", "h100_pcie", "h100_sxm", "gh100"}),
              ElementsAre("h100_pcie", "h100_sxm"));
  EXPECT_THAT(nearest_models("rtx", {"rtx_1", "rtx_2", "rtx_3", "rtx_4"}), SizeIs(4));
  EXPECT_THAT(nearest_models("rtx", {"rtx_1", "rtx_2", "rtx_3", "rtx_4", "rtx_5"}), IsEmpty());
  EXPECT_THAT(nearest_models("rt", {"rtx_1"}), IsEmpty());  // two letters begin too much
  EXPECT_EQ(did_you_mean_model("h100", {"h100_pcie", "h100_sxm"}), "did you mean 'h100_pcie' or 'h100_sxm'?");
  EXPECT_EQ(did_you_mean_model("b100", {"h100_pcie", "h100_sxm"}), "");
}

TEST(DidYouMean, IsASentenceOrNothing) {
  EXPECT_EQ(did_you_mean("heigth", names), "did you mean 'height'?");
  EXPECT_EQ(did_you_mean("temperature", names), "");
}

TEST(NameNotes, ListWhatThereIs) {
  EXPECT_EQ(name_notes("bb", {"ab", "xyz"}, "known"),
            (std::vector<std::string>{"did you mean 'ab'?", "known: ab, xyz"}));
  EXPECT_EQ(name_notes("temperature", {"ab"}), (std::vector<std::string>{"available: ab"}));
  EXPECT_TRUE(name_notes("x", {}).empty());
}

}  // namespace
}  // namespace modelmeter
