// Every device that has a file with every configuration: the run is timed, or the message says what the device lacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "cost/evaluation.h"
#include "entries.h"
#include "hardware/catalog.h"
#include "timing/run_time.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const config::Repository& configs() {
  static const config::Repository files(entries::source + "/configs");
  return files;
}

struct EntryRun {
  std::string entry;
  std::unique_ptr<AnalyticModel> model;
  Evaluation evaluation;
};

const std::vector<EntryRun>& runs() {
  static const std::vector<EntryRun> all = [] {
    std::vector<EntryRun> out;
    for (const std::string& entry : entries::all()) {
      std::unique_ptr<AnalyticModel> model = entries::model(entry, {});
      Evaluation run = evaluate(*model);
      out.push_back({entry, std::move(model), std::move(run)});
    }
    return out;
  }();
  return all;
}

// Why the device does not time a run; "" where it does.
std::string refusal(const std::string& device, const EntryRun& run) {
  try {
    const Machine machine(load_device(configs(), device), load_kernel_stack(configs(), "torch_2_11"),
                          load_host(configs(), "virtual_16_cores"));
    const StageTime total = time_run(run.evaluation, machine).total();
    return total.part.device > 0 && std::isfinite(total.wall) ? "" : "no time";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Devices, TimeEveryConfigurationOrSayWhatTheyLack) {
  std::map<std::string, std::vector<std::string>> refused;  // devices, by why
  for (const std::string& device : device_names(configs())) {
    const std::string first = refusal(device, runs().front());
    if (!first.empty()) refused[first].push_back(device);
    for (const EntryRun& run : runs()) EXPECT_EQ(refusal(device, run), first) << device << ' ' << run.entry;
  }
  // Volta has no bfloat16; of AMD's libraries no kernels are known.
  EXPECT_THAT(refused["NVIDIA V100 SXM2 16GB has no matrix units for bf16"], ElementsAre("v100_sxm_16gb"));
  EXPECT_THAT(refused["NVIDIA V100 SXM2 32GB has no matrix units for bf16"], ElementsAre("v100_sxm_32gb"));
  EXPECT_THAT(refused["the stack torch_2_11 has no kernels for gfx90a"], ElementsAre("mi250x_gcd"));
  EXPECT_THAT(refused["the stack torch_2_11 has no kernels for gfx942"], ElementsAre("mi300x", "mi325x"));
  EXPECT_THAT(refused["the stack torch_2_11 has no kernels for gfx950"], ElementsAre("mi355x"));
  EXPECT_EQ(refused.size(), 5U);
}

// 16 bits of the other kind, and float32 without TF32: what a card of before Ampere runs.
TEST(Devices, OfBeforeAmpereRunHalfAndFullPrecision) {
  for (const entries::Overrides& how :
       {entries::Overrides{"runtime.precision=float16", "runtime.attention=eager"},
        {"runtime.precision=float32", "runtime.attention=eager"},
        {"runtime.precision=float32", "runtime.attention=eager", "runtime.execution=ideal"}}) {
    std::unique_ptr<AnalyticModel> model = entries::model("deepseek_ocr", how);
    Evaluation run = evaluate(*model);
    EXPECT_THAT(refusal("v100_sxm_32gb", {"", std::move(model), std::move(run)}), IsEmpty()) << how.front();
  }
}

}  // namespace
}  // namespace modelmeter
