// Collectives on the timeline of a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/error.h"
#include "hardware/catalog.h"
#include "timing/collectives.h"
#include "timing/run_time.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

constexpr ProcessGroup all_eight{GroupAxis::world, 8};

Machine h100_of(const std::string& cluster, bool connected = true) {
  const config::Repository repository(MODELMETER_SOURCE_DIR "/configs");
  std::optional<Cluster> of;
  if (connected) of = load_cluster(repository, cluster);
  return Machine(load_device(repository, "h100_sxm"), load_kernel_stack(repository, "torch_2_11"),
                 load_host(repository, "cuda_graph"), std::move(of));
}

// `layers` layers: a gather of so many bytes on a stream, then so many additions of 400 MB.
RunTime run_of_layers(int64_t layers, int64_t gathered, int additions, uint8_t stream, const Machine& machine) {
  auto tracer = std::make_unique<Tracer>();
  tracer->enter_function("stage");
  const int32_t scope = tracer->scope();
  tracer->enter_repetition(layers);
  {
    const Tracer::Guard guard(*tracer);
    tracer->context.stream = stream;
    torch::distributed::all_gather_into_tensor(tracer->allocate({gathered}, DType::int8),
                                               tracer->allocate({gathered / 8}, DType::int8), all_eight);
    tracer->context.stream = 0;
    const Tensor x = tracer->allocate({100'000'000}, DType::float32);
    for (int i = 0; i < additions; ++i) torch::add(x, x);
  }
  tracer->leave();
  tracer->leave();
  tracer->trace().residences.push_back({scope, 0});
  return time_run(Evaluation(std::move(tracer)), machine);
}

TEST(CollectivesOfARun, TakeTheDevicesQueue) {
  const Machine machine = h100_of("dgx_h100");
  const RunTime alone = run_of_layers(10, 800'000'000, 0, 0, machine),
                both = run_of_layers(10, 800'000'000, 4, 0, machine), none = run_of_layers(10, 0, 4, 0, machine);
  const double gather = collective_time(Kernel::allgather_base_, all_eight, 700e6, *machine.cluster()).seconds();
  EXPECT_NEAR(alone.stages[0].collectives, 10 * gather, 1e-9);
  EXPECT_NEAR(both.stages[0].part.device, none.stages[0].part.device - none.stages[0].collectives + 10 * gather,
              0.2 * gather);
  EXPECT_EQ(alone.stages[0].part.bound(), Bound::link);
  EXPECT_GT(alone.stages[0].part.by_bound[static_cast<int>(Bound::link)], 0);
}

TEST(CollectivesOfARun, AheadOfTheirLayerHideBehindTheOneBefore) {
  const Machine machine = h100_of("dgx_h100");
  const double gather = collective_time(Kernel::allgather_base_, all_eight, 700e6, *machine.cluster()).seconds();
  // Long layers: all but the first gather is hidden.
  const StageTime long_layers = run_of_layers(10, 800'000'000, 40, collective_stream, machine).stages[0];
  EXPECT_NEAR(long_layers.wall, long_layers.part.device, 1.1 * gather);
  EXPECT_NEAR(long_layers.collectives, 10 * gather, 1e-9);
  EXPECT_EQ(long_layers.part.by_bound[static_cast<int>(Bound::link)], 0);
  // Short ones: they wait for each.
  const StageTime short_layers = run_of_layers(10, 800'000'000, 1, collective_stream, machine).stages[0];
  EXPECT_GE(short_layers.wall, 10 * gather);
  EXPECT_LT(short_layers.wall, 10 * gather + short_layers.part.device);
}

TEST(CollectivesOfARun, NeedACluster) {
  EXPECT_THROW(run_of_layers(1, 800, 1, 0, h100_of("", false)), Error);
  EXPECT_NO_THROW(run_of_layers(1, 800, 1, 0, h100_of("dgx_h100")));
}

}  // namespace
}  // namespace modelmeter
