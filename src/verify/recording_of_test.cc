// Our side of a comparison, of the model that was worked out by hand (testing/tiny_model.h): kernels written out,
// modules with what ran inside them, parameters by their names in a checkpoint, totals.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/tiny_model.h"
#include "verify/comparison.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;

Recording tiny() { return recording_of(*testing_models::TinyModel().stages().front()); }

TEST(RecordingOf, HasEveryKernelOfOneForward) {
  std::vector<std::string> ops;
  for (const RecordedOp& op : tiny().ops) {
    ops.push_back(fmt::format("{} @{} {} {} {} {}", op.kernel, op.scope, op.flops, op.read, op.write, op.live));
  }
  std::vector<std::string> wanted = {"aten.mul @ 0 64 48 48"};
  // Live above the start: x of 48 bytes, then what up and SiLU make, 96 each; a block leaves its result in x's place.
  for (int i = 0; i < 3; ++i) {
    wanted.push_back(fmt::format("aten.addmm @blocks.{}.up 192 208 96 144", i));
    wanted.push_back(fmt::format("aten.silu @blocks.{}.act 0 96 96 240", i));
    wanted.push_back(fmt::format("aten.addmm @blocks.{}.down 192 240 48 192", i));
    wanted.push_back(fmt::format("aten.add @blocks.{} 0 96 48 144", i));
  }
  wanted.emplace_back("aten.mm @head 48 80 24 72");
  EXPECT_EQ(ops, wanted);
  const RecordedOp up = tiny().ops[1];
  EXPECT_EQ(up.inputs, (std::vector<RecordedTensor>{{{8}, "f32"}, {{3, 4}, "f32"}, {{4, 8}, "f32"}}));
  EXPECT_EQ(up.outputs, (std::vector<RecordedTensor>{{{3, 8}, "f32"}}));
}

TEST(RecordingOf, HasEveryModuleWithWhatRanInIt) {
  std::vector<std::string> modules;
  for (const RecordedModule& m : tiny().modules) {
    modules.push_back(fmt::format("{}:{} calls {} params {} bytes {} flops {} read {} write {} kernels {}", m.name,
                                  m.klass, m.calls, to_string(m.params), to_string(m.param_bytes), to_string(m.flops),
                                  to_string(m.read), to_string(m.write), to_string(m.kernels)));
  }
  std::vector<std::string> wanted = {":TinyNet calls 1 params 240 bytes 960 flops 1200 read 2064 write 936 kernels 14",
                                     "blocks:ModuleList calls 0 params 228 bytes 912 flops 0 read 0 write 0 kernels 0"};
  for (int i = 0; i < 3; ++i) {
    wanted.push_back(
        fmt::format("blocks.{}:TinyBlock calls 1 params 76 bytes 304 flops 384 read 640 write 288 kernels 4", i));
    wanted.push_back(fmt::format("blocks.{}.act:SiLU calls 1 params 0 bytes 0 flops 0 read 96 write 96 kernels 1", i));
    wanted.push_back(
        fmt::format("blocks.{}.down:Linear calls 1 params 36 bytes 144 flops 192 read 240 write 48 kernels 1", i));
    wanted.push_back(
        fmt::format("blocks.{}.up:Linear calls 1 params 40 bytes 160 flops 192 read 208 write 96 kernels 1", i));
  }
  wanted.emplace_back("head:Linear calls 1 params 8 bytes 32 flops 48 read 80 write 24 kernels 1");
  EXPECT_EQ(modules, wanted);
}

TEST(RecordingOf, HasParametersAndTotals) {
  const Recording recording = tiny();
  std::vector<std::string> names;
  for (const RecordedParameter& p : recording.parameters) names.push_back(p.name + p.tensor.sizes.to_string());
  EXPECT_THAT(names, ElementsAre("scale[4]", "blocks.0.up.weight[8, 4]", "blocks.0.up.bias[8]",
                                 "blocks.0.down.weight[4, 8]", "blocks.0.down.bias[4]", "blocks.1.up.weight[8, 4]",
                                 "blocks.1.up.bias[8]", "blocks.1.down.weight[4, 8]", "blocks.1.down.bias[4]",
                                 "blocks.2.up.weight[8, 4]", "blocks.2.up.bias[8]", "blocks.2.down.weight[4, 8]",
                                 "blocks.2.down.bias[4]", "head.weight[2, 4]"));
  const RecordedTotals& t = recording.totals;
  EXPECT_EQ(t.params, 240);
  EXPECT_EQ(t.param_bytes, 960);
  EXPECT_EQ(t.kernels, 14);
  EXPECT_EQ(t.flops, 1200);
  EXPECT_EQ(t.read, 2064);
  EXPECT_EQ(t.write, 936);
  EXPECT_EQ(t.live_at_start, 960 + 48);
  EXPECT_EQ(t.peak_live, 960 + 48 + 240);
  EXPECT_EQ(t.live_at_end, -1);
}

// Tied weights: a head that uses the embedding's has them as its own where the embedding is not part of it.
class Embedding2 : public Module<Embedding2> {
 public:
  explicit Embedding2(const BuildContext& context) : Module("Table") { register_parameter("weight", {10, 4}, context); }
  void forward(const Tensor&) const {}
};
class Head2 : public Module<Head2> {
 public:
  explicit Head2(const BaseLayer& owner) : Module("Head") { tie_to(owner); }
  void forward(const Tensor&) const {}
};
class TiedNet : public Module<TiedNet> {
 public:
  explicit TiedNet(const BuildContext& context) : Module("TiedNet"), table_(context), head_(table_) {
    register_module("table", table_);
    register_module("head", head_);
  }
  void forward(const Tensor& x) const {
    table_(x);
    head_(x);
  }

 private:
  Embedding2 table_;
  Head2 head_;
};

TEST(RecordingOf, TiedParametersAreCountedWithTheirOwnerWhereItIsThere) {
  const testing_models::TinyStage<TiedNet> stage("core/tied", "other", 1, Shape{1});
  std::vector<std::string> modules;
  for (const RecordedModule& m : recording_of(stage).modules) {
    modules.push_back(m.name + " " + to_string(m.params) + " " + to_string(m.param_bytes));
  }
  EXPECT_THAT(modules, ElementsAre(" 40 160", "head 40 160", "table 40 160"));
}

// --- sections of recordings without kernels ---

Recording with_sums(const std::vector<RecordedSection>& sections) {
  Recording out = tiny();
  out.ops.clear();
  out.sections = sections;
  return out;
}

TEST(Sections, AreTheSumsOfNumberedModules) {
  std::vector<std::string> sums;
  for (const RecordedSection& s : sections_of_kernels(tiny().ops)) {
    sums.push_back(fmt::format("{}: {} {} {} {}", s.name, to_string(s.flops), to_string(s.read), to_string(s.write),
                               to_string(s.kernels)));
  }
  EXPECT_THAT(sums, ElementsAre(": 0 64 48 1", "blocks.0: 384 640 288 4", "blocks.1: 384 640 288 4",
                                "blocks.2: 384 640 288 4", ": 48 80 24 1"));
}

TEST(Sections, OfOneNameAreComparedTogether) {
  const std::vector<RecordedSection> right = {{"", 48, 144, 72, 2},
                                              {"blocks.0", 384, 640, 288, 4},
                                              {"blocks.1", 384, 640, 288, 4},
                                              {"blocks.2", 384, 640, 288, 4}};
  const Comparison same = compare(tiny(), with_sums(right));
  EXPECT_TRUE(same.equal());
  EXPECT_FALSE(same.kernels_given);
  EXPECT_EQ(same.sections_compared, 4);
  // In two parts, as they stand in the run.
  EXPECT_TRUE(
      compare(tiny(), with_sums({{"", 0, 64, 48, 1}, right[1], right[2], right[3], {"", 48, 80, 24, 1}})).equal());
  Count RecordedSection::* const members[] = {&RecordedSection::flops, &RecordedSection::read, &RecordedSection::write,
                                              &RecordedSection::kernels};
  const char* const said[] = {"section blocks.1: flops 384, reference 385", "section blocks.1: read 640, reference 641",
                              "section blocks.1: write 288, reference 289", "section blocks.1: kernels 4, reference 5"};
  for (size_t i = 0; i < 4; ++i) {
    std::vector<RecordedSection> other = right;
    other[2].*members[i] += 1;
    const Comparison c = compare(tiny(), with_sums(other));
    EXPECT_THAT(c.section_differences, ElementsAre(said[i]));
    EXPECT_FALSE(c.equal());
  }
  std::vector<RecordedSection> more = right;
  more.push_back({"blocks.3", 0, 1, 0, 0});
  EXPECT_THAT(compare(tiny(), with_sums(more)).section_differences,
              ElementsAre("section blocks.3: read 0, reference 1"));
  more.back() = {"", 1, 0, 0, 0};
  EXPECT_THAT(compare(tiny(), with_sums(more)).section_differences,
              ElementsAre("section (outside): flops 48, reference 49"));
  // Of repeated calls we have no counterpart: totals and modules are compared.
  const Comparison repeated = compare(tiny(), with_sums({{"decoder#1", 1, 1, 1, 1}}));
  EXPECT_TRUE(repeated.equal());
  EXPECT_EQ(repeated.sections_compared, 0);
}

TEST(Comparison, ListsThatAreIteratedByHandMayBeOfEitherClass) {
  Recording other = tiny();
  for (RecordedModule& m : other.modules) {
    if (m.klass == "ModuleList") m.klass = "Sequential";
  }
  EXPECT_TRUE(compare(tiny(), other).equal());
  for (RecordedModule& m : other.modules) {
    if (m.klass == "Sequential") m.klass = "ModuleDict";
  }
  EXPECT_FALSE(compare(tiny(), other).equal());
}

TEST(Comparison, SaysHowManyMoreDifferences) {
  Recording other = tiny();
  for (RecordedParameter& p : other.parameters) p.tensor.dtype = "bf16";
  const Comparison c = compare(tiny(), other);
  EXPECT_EQ(c.parameter_differences.size(), 14u);
  EXPECT_THAT(table_of(c, other),
              testing::AllOf(testing::HasSubstr("\n14 parameters differ:\n  scale: f32[4], reference bf16[4]\n"),
                             testing::HasSubstr("\n  … and 4 more\n")));
}

}  // namespace
}  // namespace modelmeter
