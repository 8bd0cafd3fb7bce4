#include "memory/alloc_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(none.roundup_power2_divisions, 0);
  const AllocatorSettings all =
      parse_alloc_conf("expandable_segments:True,max_split_size_mb:128,roundup_power2_divisions:8");
  EXPECT_TRUE(all.expandable_segments);
  EXPECT_EQ(all.max_split_size, 128 << 20);
  EXPECT_EQ(all.roundup_power2_divisions, 8);
  EXPECT_FALSE(parse_alloc_conf("expandable_segments:False").expandable_segments);
}

TEST(AllocConf, RefusesWhatPyTorchDoesAndWhatIsNotModelled) {
  EXPECT_THAT(error_of("expandable_segment:True").notes(), Contains("did you mean 'expandable_segments'?"));
  EXPECT_THAT(error_of("expandable_segments:yes").message(), HasSubstr("expected True or False, got 'yes'"));
  EXPECT_THAT(error_of("max_split_size_mb:20").message(), HasSubstr("20 is too small"));
  EXPECT_THAT(error_of("max_split_size_mb:12x").message(), HasSubstr("expected a whole number, got '12x'"));
  EXPECT_THAT(error_of("max_split_size_mb:-1").message(), HasSubstr("expected a whole number"));
  EXPECT_THAT(error_of("max_split_size_mb").message(), HasSubstr("expected KEY:VALUE"));
  EXPECT_THAT(error_of("roundup_power2_divisions:3").message(), HasSubstr("3 is no power of two"));
  EXPECT_THAT(error_of("roundup_power2_divisions:[256:1]").message(), HasSubstr("not modelled"));
  EXPECT_THAT(error_of("garbage_collection_threshold:0.8").message(), HasSubstr("is not modelled"));
}

}  // namespace
}  // namespace modelmeter
