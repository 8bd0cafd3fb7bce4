// Sections of a recording as they are written and read: where they begin, what is written once, what repeats with more
// live memory around it, and what a file may not say.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "recording/expansion.h"
#include "recording/recording.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

RecordedOp op(const std::string& scope, int64_t live = 0, const std::string& kernel = "aten.neg") {
  RecordedOp out;
  out.kernel = kernel;
  out.scope = scope;
  out.inputs = {{{2}, "f32"}};
  out.outputs = {{{2}, "f32"}};
  out.flops = 3;
  out.read = 8;
  out.write = 8;
  out.live = live;
  return out;
}

Recording with_ops(std::vector<RecordedOp> ops) {
  Recording out;
  out.implementation = "official";
  out.config = out.workload = "{}";
  out.ops = std::move(ops);
  return out;
}

// The sections that are written: "name" or "name=source".
std::vector<std::string> written(const std::vector<RecordedOp>& ops) {
  std::vector<std::string> out;
  const Json json = Json::parse(write_recording(with_ops(ops)));
  for (const Json& section : json["sections"]) {
    std::string text = section["section"];
    if (section.contains("same_as")) text += "=" + section["same_as"].get<std::string>();
    out.push_back(text);
  }
  return out;
}

std::string shown(const RecordedOp& o) {
  return fmt::format("{} @{} {} {} {} {}", o.kernel, o.scope, o.flops, o.read, o.write, o.live);
}

void expect_round_trip(const std::vector<RecordedOp>& ops) {
  const std::vector<RecordedOp> back = read_recording(write_recording(with_ops(ops)), "r.json").ops;
  ASSERT_EQ(back.size(), ops.size());
  for (size_t i = 0; i < ops.size(); ++i) EXPECT_EQ(shown(back[i]), shown(ops[i])) << i;
}

TEST(Sections, BeginAtNumberedModules) {
  const std::pair<const char*, const char*> names[] = {
      {"", ""},
      {"head", ""},
      {"blocks", ""},
      {"blocks.0", "blocks.0"},
      {"blocks.0.q", "blocks.0"},
      {"blocks.12.ffn.0", "blocks.12"},  // the outermost
      {"model.layers.3.mlp.experts.7.up", "model.layers.3"},
      {"conv1", ""},
      {"0", "0"},
      {"0.weight", "0"},
      {"a.1x.b", ""},
      {"a.x1", ""},
      {"a.007.b", "a.007"},
  };
  for (const auto& [scope, name] : names) {
    const std::vector<RecordedSection> sections = sections_of_kernels({op(scope)});
    ASSERT_EQ(sections.size(), 1u) << scope;
    EXPECT_EQ(sections[0].name, name) << scope;
  }
}

TEST(Sections, AreWrittenOnceWhereTheyRepeat) {
  EXPECT_THAT(written({op("blocks.0"), op("blocks.1"), op("head"), op("blocks.2")}),
              ElementsAre("blocks.0", "blocks.1=blocks.0", "", "blocks.2=blocks.0"));
  // Not where anything differs.
  EXPECT_THAT(written({op("blocks.0.q"), op("blocks.1.k")}), ElementsAre("blocks.0", "blocks.1"));
  EXPECT_THAT(written({op("blocks.0"), op("blocks.1", 0, "aten.abs")}), ElementsAre("blocks.0", "blocks.1"));
  RecordedOp more = op("blocks.1");
  more.read += 1;
  EXPECT_THAT(written({op("blocks.0"), more}), ElementsAre("blocks.0", "blocks.1"));
  // Live memory that is higher by the same all along is the same section.
  EXPECT_THAT(written({op("blocks.0", 10), op("blocks.0", 30), op("blocks.1", 110), op("blocks.1", 130)}),
              ElementsAre("blocks.0", "blocks.1=blocks.0"));
  EXPECT_THAT(written({op("blocks.0", 10), op("blocks.0", 30), op("blocks.1", 110), op("blocks.1", 131)}),
              ElementsAre("blocks.0", "blocks.1"));
  // What is outside of all is written each time.
  EXPECT_THAT(written({op("head"), op("blocks.0"), op("head")}), ElementsAre("", "blocks.0", ""));
}

TEST(Sections, AreReadBackAsTheyWere) {
  expect_round_trip({});
  expect_round_trip({op("")});
  expect_round_trip({op("blocks.0", 10), op("blocks.0.q", 5), op("blocks.1", 70), op("blocks.1.q", 65), op("", 7)});
  expect_round_trip(
      {op("blocks.0", 100), op("blocks.0", 10), op("blocks.1", 95), op("blocks.1", 5)});  // less around it
  expect_round_trip({op("blocks.10.q"), op("blocks.1.q"), op("blocks.100.q")});           // names that begin alike
  expect_round_trip({op("blocks.0"), op("head"), op("blocks.0"), op("head"), op("blocks.0")});
  expect_round_trip({op("a.0.b.1"), op("a.1.b.1"), op("a.1.b.2"), op("a.2.b.1")});
}

TEST(Sections, HaveSumsBesideTheirKernels) {
  RecordedOp nothing = op("blocks.0", 50, "aten.empty");
  nothing.counted = false;
  const Json json = Json::parse(write_recording(with_ops({op("blocks.0", 40), nothing, op("blocks.0", 20)})));
  const Json& section = json["sections"][0];
  EXPECT_EQ(section["flops"], 9);
  EXPECT_EQ(section["read"], 24);
  EXPECT_EQ(section["write"], 24);
  EXPECT_EQ(section["kernels"], 2);  // what launches nothing is none
  EXPECT_EQ(section["peak_live"], 50);
  EXPECT_EQ(section["ops"].size(), 3u);
}

// --- reading ---

std::string file_with(const std::string& sections) {
  return R"({"schema": "modelmeter.reference/1", "code": "", "implementation": "official", "config": {}, "workload": {},)"
         R"( "totals": {"params": 0, "param_bytes": 0, "kernels": 0, "flops": 0, "read": 0, "write": 0,)"
         R"( "live_at_start": 0, "peak_live": 0}, "modules": [], "parameters": [], "sections": )" +
         sections + "}";
}

std::string error_of(const std::string& text) {
  try {
    read_recording(text, "r.json");
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    return error.message();
  }
}

TEST(ReadSections, ARepeatedOneIsShiftedByItsPeak) {
  const Recording r = read_recording(
      file_with(
          R"([{"section": "blocks.0", "ops": [["k", "blocks.0.q", [], [], 1, 2, 3, 10], ["k", "blocks.0", [], [], 1, 2, 3, 30]]},
                    {"section": "blocks.1", "same_as": "blocks.0", "peak_live": 130},
                    {"section": "blocks.2", "same_as": "blocks.1", "peak_live": 25},
                    {"section": "blocks.3", "same_as": "blocks.0"}])"),
      "r.json");
  std::vector<std::string> ops;
  for (const RecordedOp& o : r.ops) ops.push_back(fmt::format("{} {}", o.scope, o.live));
  EXPECT_THAT(ops, ElementsAre("blocks.0.q 10", "blocks.0 30", "blocks.1.q 110", "blocks.1 130", "blocks.2.q 5",
                               "blocks.2 25", "blocks.3.q 10", "blocks.3 30"));
}

// "decoder#1" is the second call of decoder: its kernels are decoder's.
TEST(ReadSections, OfRepeatedCallsHaveTheModulesScopes) {
  const Recording r =
      read_recording(file_with(R"([{"section": "decoder#0", "ops": [["k", "decoder.conv", [], [], 1, 2, 3, 10]]},
                                                   {"section": "decoder#1", "same_as": "decoder#0", "peak_live": 12}])"),
                     "r.json");
  ASSERT_EQ(r.ops.size(), 2u);
  EXPECT_EQ(r.ops[1].scope, "decoder.conv");
  EXPECT_EQ(r.ops[1].live, 12);
}

TEST(ReadSections, SumsAloneStandInTheirPlace) {
  const Recording r =
      read_recording(file_with(R"([{"section": "blocks.0", "flops": 1, "read": 2, "write": 3, "kernels": 4},
                    {"section": "blocks.1", "same_as": "blocks.0"},
                    {"section": "", "flops": 5, "read": 6, "write": 7, "kernels": 8}])"),
                     "r.json");
  EXPECT_TRUE(r.ops.empty());
  std::vector<std::string> sums;
  for (const RecordedSection& s : r.sections) {
    sums.push_back(fmt::format("{} {} {} {} {}", s.name, to_string(s.flops), to_string(s.read), to_string(s.write),
                               to_string(s.kernels)));
  }
  EXPECT_THAT(sums, ElementsAre("blocks.0 1 2 3 4", "blocks.1 1 2 3 4", " 5 6 7 8"));
  EXPECT_EQ(error_of(file_with(R"([{"section": "a", "flops": 1, "read": 2, "write": 3, "kernels": 4},
                                   {"section": "b", "same_as": "c"}])")),
            "r.json: sections[1]: section \"b\" is the same as unknown \"c\"");
  for (const char* key : {"flops", "read", "write", "kernels"}) {
    Json section = Json::parse(R"({"section": "a", "flops": 1, "read": 2, "write": 3, "kernels": 4})");
    section[key] = -1;
    EXPECT_EQ(error_of(file_with("[" + section.dump() + "]")), fmt::format("r.json: sections[0]: {} is below 0", key));
    section.erase(key);
    EXPECT_EQ(error_of(file_with("[" + section.dump() + "]")),
              fmt::format("r.json: sections[0]: no field \"{}\"", key));
  }
}

TEST(ReadSections, AnOpHasEightParts) {
  const Json good = Json::parse(R"(["aten.mm", "a", [[[2, 3], "f32"]], [[[2, 4], "f32"]], 1, 2, 3, 4])");
  const auto error_with = [&](size_t at, const Json& value) {
    Json row = good;
    row[at] = value;
    return error_of(file_with(Json::array({{{"section", "a"}, {"ops", Json::array({row})}}}).dump()));
  };
  EXPECT_EQ(error_with(0, "aten.mm"), "no error");
  const std::string not_one =
      "r.json: sections[0].ops[0]: an op is not [kernel, scope, inputs, outputs, flops, read, write, live]";
  for (size_t at : {0, 1, 2, 3}) EXPECT_EQ(error_with(at, 1), not_one) << at;
  Json nine = good;
  nine.push_back(1);
  EXPECT_EQ(error_of(file_with(Json::array({{{"section", "a"}, {"ops", Json::array({nine})}}}).dump())),
            "r.json: sections[0].ops[0]: what is beside an op's 8 fields is not a map");
  EXPECT_EQ(error_with(4, -1), "r.json: sections[0].ops[0]: flops is below 0");
  EXPECT_EQ(error_with(5, -1), "r.json: sections[0].ops[0]: read is below 0");
  EXPECT_EQ(error_with(6, -1), "r.json: sections[0].ops[0]: write is below 0");
  EXPECT_EQ(error_with(7, -1), "no error");  // an op may let more go than was there when the recording began
  EXPECT_EQ(error_with(4, 1.5), "r.json: sections[0].ops[0]: flops is not an integer");
  EXPECT_EQ(error_with(4, 9223372036854775808ULL), "r.json: sections[0].ops[0]: flops is not an integer of 64 bits");
  const std::string not_a_pair = "r.json: sections[0].ops[0]: an operand is not a pair of shape and dtype";
  for (const char* operand : {"[1]", "[[2, 3]]", R"([["f32", [2]]])", "[[[2], 1]]"}) {
    EXPECT_EQ(error_with(2, Json::parse(operand)), not_a_pair) << operand;
  }
  EXPECT_EQ(error_with(2, Json::parse(R"([[[2], "f32", 1]])")),
            "r.json: sections[0].ops[0]: storage 1 is none of the 0 in \"storages\"");
  EXPECT_EQ(error_with(2, Json::parse(R"([[[-1], "f32"]])")), "r.json: sections[0].ops[0]: a size is below 0");
  EXPECT_EQ(error_with(2, Json::parse(R"([[[1.0], "f32"]])")), "r.json: sections[0].ops[0]: a size is not an integer");
}

TEST(ReadSections, WhatLaunchesNothingIsNotCounted) {
  const auto counted = [](const std::string& kernel, const std::string& outputs) {
    return read_recording(
               file_with(R"([{"section": "a", "ops": [[")" + kernel + R"(", "a", [], )" + outputs + ", 0, 0, 0, 0]]}]"),
               "r.json")
        .ops[0]
        .counted;
  };
  EXPECT_TRUE(counted("aten.neg", R"([[[2], "f32"]])"));
  EXPECT_FALSE(counted("aten.empty", R"([[[2], "f32"]])"));
  EXPECT_FALSE(counted("aten.new_empty_strided", R"([[[2], "f32"]])"));
  EXPECT_FALSE(counted("aten.neg", "[]"));  // of an empty result
}

// 2^18 kernels, then as many again, are more than half a million.
TEST(ReadSections, RepeatedOnesDoNotMakeMillions) {
  std::string sections = R"([{"section": "a.0", "ops": [)";
  for (int i = 0; i < 1000; ++i) sections += std::string(i == 0 ? "" : ",") + R"(["k", "a.0", [], [], 0, 0, 0, 0])";
  sections += "]}";
  for (int i = 1; i < 500; ++i) sections += fmt::format(R"(,{{"section": "a.{}", "same_as": "a.0"}})", i);
  EXPECT_EQ(error_of(file_with(sections + "]")), "no error");
  EXPECT_EQ(error_of(file_with(sections + R"(,{"section": "a.500", "same_as": "a.0"}])")),
            "r.json: sections[500]: repeated sections make more than 500000 kernels");
}

TEST(ReadRecording, HeaderFieldsAreWhatTheyAre) {
  Recording r = with_ops({});
  r.code = "mine";
  r.attention = "math";
  r.variant = "t2v-14B";
  r.precision = "bf16";
  r.case_name = "head";
  r.weights = "f32";
  r.generation = "2.2";
  const Json json = Json::parse(write_recording(r));
  for (const auto& [key, value] : {std::pair{"code", "mine"},
                                   {"implementation", "official"},
                                   {"attention", "math"},
                                   {"variant", "t2v-14B"},
                                   {"precision", "bf16"},
                                   {"case", "head"},
                                   {"weights", "f32"},
                                   {"generation", "2.2"}}) {
    EXPECT_EQ(json[key], value);
    Json other = json;
    other[key] = 1;
    EXPECT_EQ(error_of(other.dump()), fmt::format("r.json: \"{}\" is not a string", key));
  }
  // Those that older recordings lack.
  Json old = json;
  for (const char* key : {"attention", "variant", "precision", "case", "weights", "generation", "config", "workload"}) {
    old.erase(key);
  }
  const Recording read = read_recording(old.dump(), "r.json");
  EXPECT_EQ(read.attention, "flash");
  EXPECT_EQ(read.variant + read.precision + read.case_name + read.weights + read.generation, "");
  EXPECT_EQ(read.config, "{}");
  EXPECT_EQ(read.workload, "{}");
}

// --- traces written out ---

TEST(Expansion, NestedRepetitionsCountOn) {
  Tracer tracer;
  const Tracer::Guard guard(tracer);
  int outer = 0, inner = 0;
  const Tensor x = tracer.allocate({4}, DType::float32);
  repeat(3, x, [&](int64_t i, const Tensor& state) {
    tracer.enter_module("layers", "Layer", &outer, i);
    Tensor y = repeat(2, state, [&](int64_t k, const Tensor& s) {
      tracer.enter_module("experts", "Expert", &inner, k);
      Tensor made = torch::neg(s);
      tracer.leave();
      return made;
    });
    tracer.leave();
    return y;
  });
  std::vector<std::string> scopes;
  for (const RecordedOp& o : recorded_ops(tracer.trace())) scopes.push_back(o.scope);
  EXPECT_THAT(scopes, ElementsAre("layers.0.experts.0", "layers.0.experts.1", "layers.1.experts.0",
                                  "layers.1.experts.1", "layers.2.experts.0", "layers.2.experts.1"));
  std::vector<std::string> calls;
  for (const auto& [name, times] : module_calls(tracer.trace())) calls.push_back(fmt::format("{} {}", name, times));
  EXPECT_THAT(calls, ElementsAre("layers.0 1", "layers.0.experts.0 1", "layers.0.experts.1 1", "layers.1 1",
                                 "layers.1.experts.0 1", "layers.1.experts.1 1", "layers.2 1", "layers.2.experts.0 1",
                                 "layers.2.experts.1 1"));
}

TEST(Expansion, AModuleThatRunsRepeatedlyIsCalledAsOften) {
  Tracer tracer;
  const Tracer::Guard guard(tracer);
  int module = 0;
  const Tensor x = tracer.allocate({4}, DType::float32);
  tracer.enter_repetition(5);
  tracer.enter_module("act", "SiLU", &module);
  torch::silu(x);
  tracer.leave();
  tracer.leave();
  EXPECT_EQ(module_calls(tracer.trace()).at("act"), 5);
  EXPECT_EQ(recorded_ops(tracer.trace()).size(), 5u);
}

}  // namespace
}  // namespace modelmeter
