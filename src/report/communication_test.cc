#include "report/communication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/builder.h"
#include "report/json.h"
#include "testing/tiny_model.h"
#include "trace/distributed.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

constexpr ProcessGroup four_ranks{GroupAxis::ulysses, 4, 1};

class CommunicationReport : public testing::Test {
 protected:
  CommunicationReport() {
    const Tracer::Guard guard(tracer);
    tracer.enter_repetition(5);
    const Tensor x = tracer.allocate({1000}, DType::int8);
    torch::distributed::all_reduce(x, four_ranks);
    torch::distributed::all_reduce(x, four_ranks);
    tracer.leave();
  }

  Tracer tracer;
};

TEST_F(CommunicationReport, AddsUpCollectivesOfOneKind) {
  const std::vector<CommunicationFigures> found = communication_figures(tracer.trace(), nullptr);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].collective, "c10d.allreduce_");
  EXPECT_EQ(found[0].group, "ulysses");
  EXPECT_EQ(found[0].ranks, 4);
  EXPECT_EQ(found[0].calls, 10);
  EXPECT_EQ(found[0].sent, 15'000);
  EXPECT_FALSE(found[0].seconds);
}

TEST_F(CommunicationReport, HasTheirTimesWithACluster) {
  RunTime time;
  time.ops = {2e-6, 1e-6};
  const std::vector<CommunicationFigures> found = communication_figures(tracer.trace(), &time);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NEAR(found[0].seconds.value_or(0), 15e-6, 1e-12);
  Report report;
  report.communication = found;
  EXPECT_THAT(communication_section(report), HasSubstr("15 us"));
  EXPECT_THAT(communication_section(report), HasSubstr("1.0"));  // GB/s
}

TEST_F(CommunicationReport, IsWrittenAndRead) {
  Report report = build_report(testing_models::TinyModel(), "tiny");
  EXPECT_EQ(to_json(report).find("communication"), std::string::npos);
  report.communication = communication_figures(tracer.trace(), nullptr);
  report.communication.push_back({"c10d.send", "ring", 2, 3, 400, 0, 0.5});
  const Report read = report_from_json(to_json(report), "report.json");
  ASSERT_EQ(read.communication.size(), 2u);
  EXPECT_EQ(read.communication[0].sent, 15'000);
  EXPECT_FALSE(read.communication[0].seconds);
  EXPECT_EQ(read.communication[1].collective, "c10d.send");
  EXPECT_EQ(read.communication[1].seconds, 0.5);
}

TEST(Communication, OfOneRankIsNone) { EXPECT_TRUE(communication_figures(Tracer().trace(), nullptr).empty()); }

}  // namespace
}  // namespace modelmeter
