#include "base/edit_distance.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace modelmeter {
namespace {

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
  for (const char* other : {"s2v-14B", "s2v", "animate-14B", "i2v-5B", "i2v-A14B", "t2v", "t2v-5B", "vace-1.3B", ""}) {
    EXPECT_EQ(nearest_model(other, variants), "") << other;
  }
  EXPECT_EQ(nearest_model("s2v", {"t2v", "i2v"}), "");
  EXPECT_EQ(nearest_model("wan2-1-270p", {"wan2-1-720p", "wan2-1-720p-81f"}), "");
  EXPECT_EQ(nearest_model("wan2_2_animate_14b", {"wan2_1_vace_14b", "wan2_2_t2v_a14b"}), "");
}

TEST(NearestModel, FindsCaseSeparatorsBeginningsAndMisspeltWords) {
  const std::vector<std::string> entries = {"wan2_1_t2v_14b", "wan2_1_t2v_14b_pipeline", "wan2_1_i2v_14b_480p",
                                            "wan2_1_i2v_14b_720p", "deepseek_ocr"};
  EXPECT_EQ(nearest_model("WAN2.1-T2V-14B", entries), "wan2_1_t2v_14b");
  EXPECT_EQ(nearest_model("wan2_1_t2v", entries), "wan2_1_t2v_14b");  // the other goes on from it
  EXPECT_EQ(nearest_model("wan2_1_i2v", entries), "");                // begins two
  EXPECT_EQ(nearest_model("wan2_1_t2v_14b_pipline", entries), "wan2_1_t2v_14b_pipeline");
  EXPECT_EQ(nearest_model("deepsek_ocr", entries), "deepseek_ocr");
  EXPECT_EQ(nearest_model("h100_sxn", {"a100_sxm", "h100_pcie", "h100_sxm"}), "h100_sxm");
  EXPECT_EQ(nearest_model("offical", {"official", "diffusers"}), "official");
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
