#include "verify/power_calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "timing/kernel_time.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr const char* power_tree = MODELMETER_SOURCE_DIR;

std::optional<Machine> machine_of(const std::string& device) {
  const config::Repository repository(std::string(power_tree) + "/configs");
  return machine_named(device, {repository, {power_tree}, device, "", {}});
}

TEST(PowerCalibration, FindsWhatTheWattsWereMadeOf) {
  const std::optional<Machine> machine = machine_of("h100_sxm");
  const double idle = 100, byte = 90e-12, flop = 1.1e-12, clock = 0.8, side = 8192;
  DeviceKernel gemm;
  gemm.shape = KernelShape::gemm;
  gemm.precision = "bf16";
  gemm.m = gemm.n = gemm.k = side;
  gemm.read = 4 * side * side;
  gemm.written = 2 * side * side;
  const double rate = 2 * side * side * side / time_of(gemm, *machine).seconds(clock);
  const double bytes = gemm.bytes() / time_of(gemm, *machine).seconds(clock);
  const FittedPower fitted = fit_power({{"idle", idle, 0},
                                        {"copy", idle + byte * 3e12, 3e12},
                                        {"gemm bf16 8192^3", idle + byte * bytes + flop * rate * clock * clock, rate}},
                                       *machine);
  EXPECT_DOUBLE_EQ(fitted.idle, idle);
  EXPECT_NEAR(fitted.memory, byte, byte * 1e-6);
  EXPECT_NEAR(fitted.tensor, flop, flop * 1e-3);
  EXPECT_EQ(fitted.attention, 0);
  EXPECT_THROW(fit_power({{"copy", 400, 3e12}}, *machine), Error);
  EXPECT_THROW(fit_power({{"idle", idle, 0}, {"copy", 2000, 3e12}}, *machine), Error);  // the limit is 700 W
}

// The shipped power models are what it gives on the steady states that they are of.
TEST(PowerCalibration, GivesTheShippedDevices) {
  const char* shared = std::getenv("MODELMETER_SHARED");
  const std::string file = (shared != nullptr ? std::string(shared) : std::string(power_tree) + "/../shared") +
                           "/data/measured/gpu/power.csv";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no measurements beside the checkout";
  for (const char* name : {"h100_sxm", "h200_sxm"}) {
    const std::optional<Machine> machine = machine_of(name);
    const FittedPower fitted = fit_power(
        read_steady_states(file, [&](const std::string& d) { return d == std::string(name).substr(0, 4); }), *machine);
    const PowerModel& shipped = *machine->device().power;
    constexpr double rounding = 2e-3;
    EXPECT_NEAR(fitted.idle / shipped.idle.value, 1, rounding) << name;
    EXPECT_NEAR(fitted.memory / shipped.memory.value, 1, rounding) << name;
    EXPECT_NEAR(fitted.tensor / shipped.tensor.value, 1, rounding) << name;
    EXPECT_NEAR(fitted.attention / shipped.attention.value, 1, rounding) << name;
    EXPECT_NEAR(fitted.sustained / shipped.sustained.value, 1, rounding) << name;
  }
}

}  // namespace
}  // namespace modelmeter
