#include "recording/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

Recording small() {
  Recording r;
  r.code = "test";
  r.implementation = "official";
  r.attention = "math";
  r.variant = "v";
  r.weights = "bf16";
  r.generation = "2.2";
  r.config = R"({"dim":8})";
  r.workload = R"({"batch_size":1})";
  r.totals = {10, 40, 3, 48, 100, 50, 400, 900, 450};
  r.modules = {{"", "Root", 1, 10, 40, 48, 100, 50, 3}, {"blocks.0", "Block", 1, 5, 20, 16, 30, 20, 1}};
  r.parameters = {{"blocks.0.weight", {{2, 3}, "f32"}}};
  RecordedOp op;
  op.kernel = "aten.mm";
  op.scope = "blocks.0.q";
  op.inputs = {{{2, 3}, "f32"}, {{3, 4}, "bf16"}};
  op.outputs = {{{2, 4}, "f32"}};
  op.flops = 48;
  op.read = 72;
  op.write = 32;
  op.live = 100;
  RecordedOp second = op;
  second.scope = "blocks.1.q";
  second.live = 140;  // the same section, with more live around it
  RecordedOp last = op;
  last.kernel = "aten.new_empty";
  last.scope = "head";
  last.counted = false;
  r.ops = {op, second, last};
  return r;
}

void expect_equal(const Recording& a, const Recording& b) {
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.implementation, b.implementation);
  EXPECT_EQ(a.attention, b.attention);
  EXPECT_EQ(a.variant, b.variant);
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.generation, b.generation);
  EXPECT_EQ(a.config, b.config);
  EXPECT_EQ(a.workload, b.workload);
  EXPECT_EQ(a.totals.params, b.totals.params);
  EXPECT_EQ(a.totals.kernels, b.totals.kernels);
  EXPECT_EQ(a.totals.peak_live, b.totals.peak_live);
  EXPECT_EQ(a.totals.live_at_end, b.totals.live_at_end);
  ASSERT_EQ(a.modules.size(), b.modules.size());
  for (size_t i = 0; i < a.modules.size(); ++i) {
    EXPECT_EQ(a.modules[i].name, b.modules[i].name);
    EXPECT_EQ(a.modules[i].klass, b.modules[i].klass);
    EXPECT_EQ(a.modules[i].write, b.modules[i].write);
    EXPECT_EQ(a.modules[i].kernels, b.modules[i].kernels);
  }
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (size_t i = 0; i < a.parameters.size(); ++i) {
    EXPECT_EQ(a.parameters[i].name, b.parameters[i].name);
    EXPECT_EQ(a.parameters[i].tensor, b.parameters[i].tensor);
  }
  ASSERT_EQ(a.ops.size(), b.ops.size());
  for (size_t i = 0; i < a.ops.size(); ++i) {
    EXPECT_EQ(a.ops[i].kernel, b.ops[i].kernel) << i;
    EXPECT_EQ(a.ops[i].scope, b.ops[i].scope) << i;
    EXPECT_EQ(a.ops[i].inputs, b.ops[i].inputs) << i;
    EXPECT_EQ(a.ops[i].outputs, b.ops[i].outputs) << i;
    EXPECT_EQ(a.ops[i].flops, b.ops[i].flops) << i;
    EXPECT_EQ(a.ops[i].read, b.ops[i].read) << i;
    EXPECT_EQ(a.ops[i].write, b.ops[i].write) << i;
    EXPECT_EQ(a.ops[i].live, b.ops[i].live) << i;
    EXPECT_EQ(a.ops[i].counted, b.ops[i].counted) << i;
  }
}

TEST(Recording, IsTheSameAfterWritingAndReading) {
  const Recording recording = small();
  expect_equal(read_recording(write_recording(recording), "r.json"), recording);
}

TEST(Recording, WritesAndReadsSumsPast64BitsInFull) {
  Recording recording = small();
  recording.totals.flops = *count_from("12345678901234567890123");
  recording.modules[0].write = *count_from("9223372036854775808");
  const std::string text = write_recording(recording);
  EXPECT_THAT(text, HasSubstr("\"flops\":12345678901234567890123,"));
  const Recording read = read_recording(text, "r.json");
  EXPECT_EQ(read.totals.flops, recording.totals.flops);
  EXPECT_EQ(read.modules[0].write, recording.modules[0].write);
}

TEST(Recording, WritesRepeatedSectionsOnce) {
  const std::string text = write_recording(small());
  EXPECT_THAT(text, HasSubstr("same_as"));
}

// A module that runs several times has several sections of one name; a reference to the name means the last of them.
TEST(Recording, SectionsOfOneNameAreToldApart) {
  Recording recording = small();
  const RecordedOp first = recording.ops[0];
  RecordedOp other = first;
  other.kernel = "aten.add";
  RecordedOp between = recording.ops[2];
  recording.ops = {first, between, other, between, first, between, other};
  expect_equal(read_recording(write_recording(recording), "r.json"), recording);
}

TEST(Recording, AnUnknownEndIsNotWritten) {
  Recording recording = small();
  recording.totals.live_at_end = -1;
  const std::string text = write_recording(recording);
  EXPECT_EQ(text.find("live_at_end"), std::string::npos);
  EXPECT_EQ(read_recording(text, "r.json").totals.live_at_end, -1);
}

std::string error_of(const std::string& text) {
  try {
    read_recording(text, "r.json");
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    EXPECT_THAT(error.what(), HasSubstr("modelmeter.reference/1"));  // says what a reference is
    return error.message();
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Recording, RefusesWhatIsNoReference) {
  EXPECT_EQ(error_of(""), "r.json: not a JSON file");
  EXPECT_EQ(error_of("{"), "r.json: not a JSON file");
  for (const char* text : {"[]", "1", "null", "{}", R"({"schema": "other/1"})", R"({"schema": 1})"}) {
    EXPECT_EQ(error_of(text), "r.json: not a reference") << text;
  }
  EXPECT_EQ(error_of(R"({"schema": "modelmeter.reference/1"})"), "r.json: no field \"code\"");
}

TEST(Recording, NamesTheFieldThatIsMissingOrMistyped) {
  const std::string text = write_recording(small());
  EXPECT_EQ(error_of(replaced(text, "\"implementation\"", "\"x\"")), "r.json: no field \"implementation\"");
  EXPECT_EQ(error_of(replaced(text, "\"params\"", "\"x\"")), "r.json: no field \"params\"");
  EXPECT_EQ(error_of(replaced(text, "\"sections\"", "\"x\"")), "r.json: no field \"sections\"");
  EXPECT_EQ(error_of(replaced(text, "\"modules\"", "\"x\"")), "r.json: no field \"modules\"");
  EXPECT_EQ(error_of(replaced(text, "\"test\"", "1")), "r.json: \"code\" is not a string");
  EXPECT_EQ(error_of(replaced(text, "\"f32\"", "1")),
            "r.json: parameters[0]: an operand is not a pair of shape and dtype");
}

TEST(Recording, RefusesBrokenTotals) {
  const std::string head =
      R"({"schema": "modelmeter.reference/1", "code": "", "implementation": "official", "config": {},)"
      R"( "workload": {}, "totals": )";
  EXPECT_EQ(error_of(head + "[]}"), "r.json: no field \"params\"");
  EXPECT_EQ(error_of(head + R"({"params": "1"}})"), "r.json: params is not an integer");
  EXPECT_EQ(error_of(head + R"({"params": 1.5}})"), "r.json: params is not an integer");
}

std::string with_sections(const std::string& sections) {
  return R"({"schema": "modelmeter.reference/1", "code": "", "implementation": "official", "config": {}, "workload": {},)"
         R"( "totals": {"params": 0, "param_bytes": 0, "kernels": 0, "flops": 0, "read": 0, "write": 0,)"
         R"( "live_at_start": 0, "peak_live": 0}, "modules": [], "parameters": [], "sections": )" +
         sections + "}";
}

TEST(Recording, RefusesBrokenSections) {
  EXPECT_EQ(error_of(with_sections("{}")), "r.json: \"sections\" is not a list");
  EXPECT_EQ(error_of(with_sections("[1]")), "r.json: sections[0]: no field \"section\"");
  EXPECT_EQ(error_of(with_sections(R"([{"section": "a"}])")), "r.json: sections[0]: no field \"flops\"");
  EXPECT_EQ(error_of(with_sections(R"([{"section": "a", "same_as": "b"}])")),
            "r.json: sections[0]: section \"a\" is the same as unknown \"b\"");
  EXPECT_THAT(error_of(with_sections(R"([{"section": "a", "ops": [[1]]}])")), HasSubstr("an op is not"));
  EXPECT_EQ(error_of(with_sections(R"([{"section": "a", "ops": [["k", "s", [], [], 0, 0, 0, "x"]]}])")),
            "r.json: sections[0].ops[0]: live is not an integer");
  EXPECT_EQ(error_of(with_sections(R"([{"section": "a", "ops": [["k", "s", [[["x"], "f32"]], [], 0, 0, 0, 0]]}])")),
            "r.json: sections[0].ops[0]: a size is not an integer");
}

TEST(Recording, AShapeOfTooManyDimensionsIsAnErrorOfTheFile) {
  EXPECT_THAT(error_of(with_sections(
                  R"([{"section": "a", "ops": [["k", "s", [[[1,1,1,1,1,1,1,1,1], "f32"]], [], 0, 0, 0, 0]]}])")),
              HasSubstr("r.json"));
}

}  // namespace
}  // namespace modelmeter
