#include "memory/alloc_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/error.h"

namespace modelmeter {
namespace {

using testing::Contains;
using testing::HasSubstr;

Error error_of(const std::string& text) {
  try {
    parse_alloc_conf(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error for " << text;
  return Error("none");
}

TEST(AllocConf, IsReadAsPyTorchReadsIt) {
  const AllocatorSettings none = parse_alloc_conf("");
  EXPECT_FALSE(none.expandable_segments);
  EXPECT_EQ(none.max_split_size, 0);
  EXPECT_EQ(none.roundup_power2_divisions[5], 0);
  const AllocatorSettings all =
      parse_alloc_conf("expandable_segments:True,max_split_size_mb:128,roundup_power2_divisions:8");
  EXPECT_TRUE(all.expandable_segments);
  EXPECT_EQ(all.max_split_size, 128 << 20);
  EXPECT_EQ(all.roundup_power2_divisions[5], 8);
  EXPECT_FALSE(parse_alloc_conf("expandable_segments:False").expandable_segments);
}

TEST(AllocConf, DivisionsBySizeAreFilledAsPyTorchFillsThem) {
  // From 2^i MiB, as AcceleratorAllocatorConfig::roundup_power2_divisions() of PyTorch 2.15 gives them.
  const auto divisions =
      parse_alloc_conf("roundup_power2_divisions:[4:8,16:2,>:1], backend:native").roundup_power2_divisions;
  const std::array<int64_t, 16> expected = {8, 8, 8, 0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_EQ(divisions, expected);
  EXPECT_EQ(parse_alloc_conf("roundup_power2_divisions:[]").roundup_power2_divisions[3], 0);
  EXPECT_EQ(parse_alloc_conf("roundup_power2_divisions:[256:0]").roundup_power2_divisions[8], 0);
}

TEST(AllocConf, SharesAreOfTheDevice) {
  const AllocatorSettings s = parse_alloc_conf("garbage_collection_threshold:0.8,per_process_memory_fraction:1");
  EXPECT_EQ(s.garbage_collection_threshold, 0.8);
  EXPECT_EQ(s.memory_fraction, 1);
}

// What torch._C._accelerator_setAllocatorSettings of PyTorch 2.15 refuses, and what is not modelled.
TEST(AllocConf, RefusesWhatPyTorchDoesAndWhatIsNotModelled) {
  EXPECT_THAT(error_of("expandable_segment:True").notes(), Contains("did you mean 'expandable_segments'?"));
  EXPECT_THAT(error_of("expandable_segments:yes").message(), HasSubstr("expected True or False, got 'yes'"));
  EXPECT_THAT(error_of("max_split_size_mb:19").message(), HasSubstr("19 is too small, it must be at least 20"));
  EXPECT_EQ(parse_alloc_conf("max_split_size_mb:20").max_split_size, 20 << 20);
  EXPECT_THAT(error_of("max_non_split_rounding_mb:20").message(), HasSubstr("it must be at least 21"));
  EXPECT_THAT(error_of("max_split_size_mb:12x").message(), HasSubstr("expected a whole number, got '12x'"));
  EXPECT_THAT(error_of("max_split_size_mb:-1").message(), HasSubstr("expected a whole number"));
  EXPECT_THAT(error_of("max_split_size_mb").message(), HasSubstr("expected KEY:VALUE"));
  EXPECT_THAT(error_of("roundup_power2_divisions:3").message(), HasSubstr("3 is no power of two"));
  EXPECT_THAT(error_of("roundup_power2_divisions:0").message(), HasSubstr("0 is no power of two"));
  EXPECT_THAT(error_of("roundup_power2_divisions:[200:1]").message(), HasSubstr("the size 200 is no power of two"));
  EXPECT_THAT(error_of("roundup_power2_divisions:[256:3]").message(), HasSubstr("the number 3 is no power of two"));
  EXPECT_THAT(error_of("roundup_power2_divisions:[256:1").message(), HasSubstr("is not closed"));
  for (const char* value : {"0", "1", "1.5", "x", ""}) {
    EXPECT_THAT(error_of(std::string("garbage_collection_threshold:") + value).message(),
                HasSubstr("expected a number between 0 and 1"));
  }
  EXPECT_THAT(error_of("per_process_memory_fraction:1.5").message(), HasSubstr("expected a number from 0 to 1"));
  EXPECT_THAT(error_of("per_process_memory_fraction:0").message(), HasSubstr("0 leaves no room"));
  EXPECT_THAT(error_of("backend:cudaMallocAsync").message(), HasSubstr("not modelled"));
  EXPECT_THAT(error_of("backend:x").message(), HasSubstr("expected native or cudaMallocAsync, got 'x'"));
}

}  // namespace
}  // namespace modelmeter
