#include "model/wan/geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/error.h"

namespace modelmeter::wan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Geometry of(int64_t frames, int64_t height, int64_t width) { return geometry({frames, height, width}, {}); }

// The sequence lengths of the official code's own sizes (wan/configs SIZE_CONFIGS, 81 frames).
TEST(Geometry, OfTheOfficialSizes) {
  EXPECT_EQ(of(81, 480, 832).tokens, 32'760);
  EXPECT_EQ(of(81, 832, 480).tokens, 32'760);
  EXPECT_EQ(of(81, 720, 1280).tokens, 75'600);
  EXPECT_EQ(of(81, 1280, 720).tokens, 75'600);
  EXPECT_EQ(of(81, 1024, 1024).tokens, 86'016);
  EXPECT_EQ(of(1, 1024, 1024).tokens, 4'096);
}

TEST(Geometry, OfTheNamedWorkloads) {
  EXPECT_EQ(of(4, 256, 256).tokens, 256);
  EXPECT_EQ(of(16, 512, 512).tokens, 4'096);
  EXPECT_EQ(of(16, 720, 1280).tokens, 14'400);
}

TEST(Geometry, GivesLatentAndPatchGrid) {
  const Geometry g = of(81, 720, 1280);
  EXPECT_EQ(g.latent, Shape({16, 21, 90, 160}));
  EXPECT_EQ(g.grid, Shape({21, 45, 80}));
  EXPECT_EQ(g.seq_len, 75'600);
  EXPECT_THAT(g.notes, ElementsAre());
}

TEST(Geometry, CompressesTimeCausally) {
  const std::vector<int64_t> latents = {1, 1, 1, 1, 2, 2, 2, 2, 3};  // of 1 to 9 frames
  for (size_t i = 0; i < latents.size(); ++i)
    EXPECT_EQ(of(static_cast<int64_t>(i) + 1, 256, 256).latent[1], latents[i]);
}

TEST(Geometry, FramesThatAreNot4nPlus1GetANote) {
  EXPECT_THAT(of(5, 256, 256).notes, ElementsAre());
  EXPECT_THAT(
      of(6, 256, 256).notes,
      ElementsAre(
          "num_frames 6 is not 4n + 1; as in the official code the latent has 2 frames, those of a video of 5"));
}

TEST(Geometry, SidesThatDoNotDivideGetANote) {
  const Geometry g = of(5, 263, 256);
  EXPECT_EQ(g.latent[2], 32);
  EXPECT_THAT(g.notes,
              ElementsAre("height 263 is not a multiple of 8; as in the official code the latent is that of 256"));
}

TEST(Geometry, PadsToTheSequenceParallelSize) {
  GeometryRules rules;
  rules.sequence_parallel = 7;
  const Geometry g = geometry({5, 256, 256}, rules);
  EXPECT_EQ(g.tokens, 512);
  EXPECT_EQ(g.seq_len, 518);
}

std::string error_of(int64_t frames, int64_t height, int64_t width) {
  try {
    of(frames, height, width);
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    return error.message();
  }
}

TEST(Geometry, ImpossibleSizesAreErrorsThatNameTheKey) {
  EXPECT_EQ(error_of(0, 256, 256), "workload.num_frames is 0; it must be at least 1");
  EXPECT_EQ(error_of(5, -8, 256), "workload.height is -8; it must be at least 1");
  EXPECT_EQ(error_of(5, 256, 7), "workload.width is 7; the VAE needs at least 8 pixels");
  EXPECT_THAT(error_of(5, 24, 256), HasSubstr("workload.height gives 3 latents"));
  EXPECT_THAT(error_of(5, 256, 16'400), HasSubstr("1024 positions"));
  EXPECT_THAT(error_of(4097, 256, 256), HasSubstr("1024 positions"));
  EXPECT_EQ(error_of(4096, 256, 256), "no error");  // 1024 latent frames
}

TEST(Geometry, CountsThatOverflowAreNamed) {
  constexpr int64_t huge = 9'000'000'000'000'000'000;
  EXPECT_EQ(error_of(huge, 256, 256), "the number of tokens overflows 64 bits");
  EXPECT_EQ(error_of(5, huge, 256), "the number of tokens overflows 64 bits");
  EXPECT_EQ(error_of(5, 256, 1'600'000'000'000'000), "the number of attention scores overflows 64 bits");
  // One row of tokens, 16 pixels each: 4 n^2 bytes of scores are below 2^63 up to n = 1,518,500,249.
  EXPECT_THAT(error_of(1, 16, 16 * 1'518'500'249LL), HasSubstr("1024 positions"));
  EXPECT_EQ(error_of(1, 16, 16 * 1'518'500'250LL), "the number of attention scores overflows 64 bits");
}

TEST(Geometry, NeverShrinksWhenAVideoGrows) {
  EXPECT_TRUE(rc::check("monotone in frames and sides", [] {
    const int64_t frames = *rc::gen::inRange<int64_t>(1, 300), h = *rc::gen::inRange<int64_t>(1, 60),
                  w = *rc::gen::inRange<int64_t>(1, 60);
    const int64_t tokens = of(frames, 16 * h, 16 * w).tokens;
    RC_ASSERT(tokens == ((frames - 1) / 4 + 1) * h * w);
    RC_ASSERT(of(frames + 1, 16 * h, 16 * w).tokens >= tokens);
    RC_ASSERT(of(frames, 16 * h + 16, 16 * w).tokens > tokens);
    RC_ASSERT(of(frames, 16 * h, 16 * w + 16).tokens > tokens);
  }));
}

}  // namespace
}  // namespace modelmeter::wan
