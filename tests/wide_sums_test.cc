// Sums past 64 bits: what planners meet at many steps, large batches and long videos is counted as exactly as the rest.
#include <gtest/gtest.h>

#include "config/compose.h"
#include "model/registry.h"
#include "report/builder.h"
#include "report/json.h"

namespace modelmeter {
namespace {

Report report_of(const std::string& override) {
  const std::string source = MODELMETER_SOURCE_DIR;
  const config::Repository repository(source + "/configs", {});
  const config::Node node = config::resolve(config::compose(repository, "wan2_1_t2v_14b_pipeline", {override}));
  return build_report(*build_model(config::View(node), {source}), "wide");
}

Figures of_steps(int64_t steps) { return report_of("workload.num_inference_steps=" + std::to_string(steps)).totals; }

TEST(WideSums, StepsAddTheSamePast64BitsAsBelow) {
  const Figures few = of_steps(20), more = of_steps(21), many = of_steps(710), most = of_steps(711);
  EXPECT_TRUE(few.flops_full.fits_64());
  EXPECT_FALSE(many.flops_full.fits_64());
  for (const FigureRow& row : figure_rows) {
    if (row.of == nullptr) continue;
    const Count step = *row.get(more) - *row.get(few);
    EXPECT_EQ(*row.get(most) - *row.get(many), step) << row.name;
    EXPECT_EQ(*row.get(many), *row.get(few) + step * (710 - 20)) << row.name;
  }
}

TEST(WideSums, ALargeBatchAndALongVideoAreCounted) {
  const Figures one = report_of("workload.batch_size=1").totals, batch = report_of("workload.batch_size=15").totals;
  EXPECT_FALSE(batch.flops_torch.fits_64());
  EXPECT_EQ(batch.flops_torch, one.flops_torch * 15);
  EXPECT_FALSE(report_of("workload.num_frames=401").totals.flops_torch.fits_64());
}

TEST(WideSums, AReportIsReadAsItWasWritten) {
  const Report report = report_of("workload.num_inference_steps=710");
  const std::string text = to_json(report);
  EXPECT_NE(text.find("\"flops_full\": " + to_string(report.totals.flops_full)), std::string::npos);
  EXPECT_EQ(to_json(report_from_json(text, "report.json")), text);
}

}  // namespace
}  // namespace modelmeter
