#include "model/wan/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;

const std::string good =
    "profile_id: p\nbatch_size: 2\nnum_frames: 81\nheight: 480\nwidth: 832\nnum_inference_steps: 50\ntext_len: 512\n"
    "prompt_tokens: 60\n";

Workload read(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "workload.yaml");
  return Workload::read(config::View(node, "workload"));
}

std::string error_of(const std::string& text) {
  try {
    read(text);
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.span().file, "workload.yaml");
    return error.message();
  }
}

std::string with(const std::string& key, const std::string& value) {
  std::string out = good;
  const size_t at = out.find(key + ": "), end = out.find('\n', at);
  return out.replace(at, end - at, key + ": " + value);
}

TEST(Workload, ReadsEveryField) {
  const Workload w = read(good + "description: d\n");
  EXPECT_EQ(w.profile_id, "p");
  EXPECT_EQ(w.description, "d");
  EXPECT_EQ(w.batch_size, 2);
  EXPECT_EQ(w.num_frames, 81);
  EXPECT_EQ(w.height, 480);
  EXPECT_EQ(w.width, 832);
  EXPECT_EQ(w.num_inference_steps, 50);
  EXPECT_EQ(w.text_len, 512);
  EXPECT_EQ(w.prompt_tokens, 60);
}

TEST(Workload, EverySizeIsAnIntegerAboveZero) {
  for (const char* key :
       {"batch_size", "num_frames", "height", "width", "num_inference_steps", "text_len", "prompt_tokens"}) {
    for (const char* value : {"0", "-1", "1.5", "abc", "true", "null", "[1]", "{}"}) {
      EXPECT_THAT(error_of(with(key, value)), HasSubstr(std::string("workload.") + key + ": expected")) << value;
    }
  }
}

TEST(Workload, AMissingKeyIsNamed) {
  const std::string without = with("height", "1").replace(with("height", "1").find("height: 1\n"), 10, "");
  EXPECT_THAT(error_of(without), HasSubstr("height"));
}

TEST(Workload, AnUnknownKeyGetsASuggestion) {
  try {
    read(good + "widht: 3\n");
    FAIL() << "widht was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "workload.widht: unknown key");
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'width'?"));
    EXPECT_EQ(error.span().line, 9);
  }
}

TEST(Workload, APromptMustFitIntoItsPadding) {
  EXPECT_EQ(error_of(with("text_len", "59")), "workload.prompt_tokens: 60 tokens do not fit into text_len 59");
  EXPECT_EQ(read(with("text_len", "60")).text_len, 60);
}

}  // namespace
}  // namespace modelmeter::wan
