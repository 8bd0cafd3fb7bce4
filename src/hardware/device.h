// Device: the figures of one accelerator, each with its source (hardware/quantity.h), read from a file of
// configs/device. Rates are dense (no 2:4 sparsity), of one device, a multiply-add counting 2, and at the clock that
// the file names for them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hardware/quantity.h"

namespace modelmeter {

// Of matrix units, for one type of operands.
struct TensorRate {
  std::string precision;  // fp64, tf32, fp16, bf16, fp8, int8, fp4
  Quantity rate;          // FLOP/s at Device::tensor_clock
  std::string accumulate;
};

// What the device does and its sheet does not say: measured or fitted.
struct PowerModel {
  Quantity idle;       // W
  Quantity memory;     // J/B, of traffic to device memory
  Quantity tensor;     // J/FLOP at the highest clock, of a GEMM of 16 bits
  Quantity attention;  // J/FLOP at the highest clock, of FlashAttention 2
  Quantity sustained;  // share of the power limit that a long run draws
  Quantity burst;      // J that a run may take beyond that before the limit holds it back
};

struct Device {
  std::string id;  // "h100_sxm"
  std::string name, vendor, architecture, form_factor, notes;
  std::vector<Source> sources;

  Quantity memory_size, memory_bandwidth;
  Quantity usable_memory;  // what cudaMemGetInfo() says there is: the driver keeps some
  Quantity l2_size;
  Quantity sm_count;      // streaming multiprocessors, or compute units
  Quantity boost_clock;   // the highest
  Quantity tensor_clock;  // at which the sheet states the rates of matrix units; that clock where it does not say
  Quantity power_limit;
  Quantity link_bandwidth, pcie_bandwidth;  // one direction
  Quantity price;                           // USD/h, on demand
  Quantity start_share;                     // what starting a kernel takes, of what the stack says, as a number
  Quantity memory_fraction;                 // of the bandwidth that a streaming kernel reaches, as a number
  std::vector<TensorRate> tensor_rates;
  Quantity vector_rate;  // fp32 outside matrix units
  std::optional<PowerModel> power;

  const TensorRate* find_rate(const std::string& precision) const;
  // Error naming the precisions that the device has.
  const TensorRate& rate(const std::string& precision) const;
  const Source& source(const std::string& key) const;
};

// What devices are listed and compared by, in the order of tables.
struct DeviceField {
  const char* key;
  Dimension dimension;
  Quantity Device::* member;
  bool required;
  const char* title;
  double unit;  // in which tables show it
  const char* unit_name;
};
const std::vector<DeviceField>& device_fields();

// Bytes that programs can have. Where the file does not say, those of the sheet, whose GB are GiB.
int64_t usable_memory(const Device& device);

// Error at the line of what is wrong: a missing figure, source or unit, an unknown key, a rate that no unit of the
// architecture reaches (sparse rates are twice the dense ones).
Device read_device(const config::View& file, const std::string& id);

}  // namespace modelmeter
