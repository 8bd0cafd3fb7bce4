#include "hardware/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/edit_distance.h"

namespace modelmeter {
namespace {

const std::vector<std::string> precisions = {"fp64", "tf32", "fp16", "bf16", "fp8", "int8", "fp4"};

// What matrix units of one SM do in a clock with operands of 16 bits, dense: NVIDIA's white papers of Volta (2017) to
// Blackwell (2024), AMD's of CDNA 2 and 3. A sheet's sparse rate is twice that.
struct ArchitectureRate {
  const char* architecture;
  double flops_per_clock;
};
constexpr ArchitectureRate architecture_rates[] = {
    {"sm70", 1024},  {"sm80", 2048},  {"sm86", 1024},   {"sm89", 1024},   {"sm90", 4096},   {"sm100", 8192},
    {"sm103", 8192}, {"sm120", 1024}, {"gfx90a", 1024}, {"gfx942", 2048}, {"gfx950", 4096},
};
constexpr double tolerance = 1.1;  // sheets round clocks

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> out = {"name",  "vendor", "architecture", "form_factor",
                                    "notes", "power",  "sources",      "tensor_rates"};
    for (const DeviceField& field : device_fields()) out.emplace_back(field.key);
    return out;
  }();
  return keys;
}

void expect_dense(const Device& device, const TensorRate& rate, const config::View& view) {
  if (rate.precision != "bf16" && rate.precision != "fp16") return;
  const double clock = device.tensor_clock.known() ? device.tensor_clock.value : device.boost_clock.value;
  for (const ArchitectureRate& known : architecture_rates) {
    if (device.architecture != known.architecture) continue;
    const double most = device.sm_count.value * clock * known.flops_per_clock;
    if (rate.rate.value > most * tolerance) {
      throw view.error(fmt::format("{:.1f} TFLOP/s is more than {} matrix units at {:.0f} MHz do ({:.1f})",
                                   rate.rate.value / 1e12, device.sm_count.value, clock / 1e6, most / 1e12),
                       {"a sheet's rate with sparsity is twice the dense one"});
    }
  }
}

void read_tensor_rates(const config::View& file, Device& out) {
  const config::View rates = file.child("tensor_rates");
  rates.require_known_keys(precisions);
  for (const std::string& precision : rates.keys()) {
    TensorRate rate;
    rate.precision = precision;
    rate.rate = read_quantity(rates, precision, Dimension::flop_rate, out.sources, {"accumulate"});
    rate.accumulate = rates.child(precision).get_or<std::string>("accumulate", precision == "int8" ? "int32" : "fp32");
    expect_dense(out, rate, rates.at(precision));
    out.tensor_rates.push_back(std::move(rate));
  }
  if (out.tensor_rates.empty()) throw rates.expected("at least one rate");
}

PowerModel read_power(const config::View& power, const std::vector<Source>& sources) {
  power.require_known_keys({"idle", "memory", "tensor", "attention", "sustained", "burst"});
  return {read_quantity(power, "idle", Dimension::power, sources),
          read_quantity(power, "memory", Dimension::energy_per_byte, sources),
          read_quantity(power, "tensor", Dimension::energy_per_flop, sources),
          read_quantity(power, "attention", Dimension::energy_per_flop, sources),
          read_quantity(power, "sustained", Dimension::number, sources),
          read_quantity(power, "burst", Dimension::energy, sources)};
}

}  // namespace

const std::vector<DeviceField>& device_fields() {
  static const std::vector<DeviceField> fields = {
      {"memory_size", Dimension::bytes, &Device::memory_size, true, "memory", 1e9, "GB"},
      {"usable_memory", Dimension::bytes, &Device::usable_memory, false, "of it usable", 1073741824, "GiB"},
      {"memory_bandwidth", Dimension::bandwidth, &Device::memory_bandwidth, true, "bandwidth", 1e9, "GB/s"},
      {"memory_fraction", Dimension::number, &Device::memory_fraction, false, "of it reached", 1, ""},
      {"start_share", Dimension::number, &Device::start_share, false, "start of a kernel", 1, ""},
      {"l2_size", Dimension::bytes, &Device::l2_size, false, "L2", 1048576, "MiB"},
      {"sm_count", Dimension::number, &Device::sm_count, true, "SMs", 1, ""},
      {"boost_clock", Dimension::frequency, &Device::boost_clock, true, "clock", 1e6, "MHz"},
      {"tensor_clock", Dimension::frequency, &Device::tensor_clock, false, "clock of the rates", 1e6, "MHz"},
      {"vector_rate", Dimension::flop_rate, &Device::vector_rate, false, "fp32, vector", 1e12, "TFLOP/s"},
      {"power_limit", Dimension::power, &Device::power_limit, false, "power limit", 1, "W"},
      {"link_bandwidth", Dimension::bandwidth, &Device::link_bandwidth, false, "link, one way", 1e9, "GB/s"},
      {"pcie_bandwidth", Dimension::bandwidth, &Device::pcie_bandwidth, false, "PCIe, one way", 1e9, "GB/s"},
      {"price", Dimension::price, &Device::price, false, "price", 1, "USD/h"},
  };
  return fields;
}

const TensorRate* Device::find_rate(const std::string& precision) const {
  for (const TensorRate& rate : tensor_rates) {
    if (rate.precision == precision) return &rate;
  }
  return nullptr;
}

const TensorRate& Device::rate(const std::string& precision) const {
  if (const TensorRate* found = find_rate(precision)) return *found;
  std::vector<std::string> names;
  for (const TensorRate& rate : tensor_rates) names.push_back(rate.precision);
  throw Error(fmt::format("{} has no matrix units for {}", name, precision), {},
              name_notes(precision, names, "it has"));
}

const Source& Device::source(const std::string& key) const {
  const auto found = std::find_if(sources.begin(), sources.end(), [&](const Source& s) { return s.key == key; });
  if (found == sources.end()) throw Error(ErrorCode::internal, fmt::format("no source {} of {}", key, name));
  return *found;
}

int64_t usable_memory(const Device& device) {
  if (device.usable_memory.known()) return std::llround(device.usable_memory.value);
  return std::llround(device.memory_size.value / 1e9 * 1073741824);
}

Device read_device(const config::View& file, const std::string& id) {
  file.require_known_keys(known_keys());
  Device out;
  out.id = id;
  out.name = file.get<std::string>("name");
  out.vendor = file.get<std::string>("vendor");
  out.architecture = file.get<std::string>("architecture");
  out.form_factor = file.get_or<std::string>("form_factor", "");
  out.notes = file.get_or<std::string>("notes", "");
  out.sources = read_sources(file);
  for (const DeviceField& field : device_fields()) {
    out.*field.member = field.required ? read_quantity(file, field.key, field.dimension, out.sources)
                                       : read_optional_quantity(file, field.key, field.dimension, out.sources);
  }
  if (out.usable_memory.known() && out.usable_memory.value > out.memory_size.value / 1e9 * 1073741824) {
    throw file.at("usable_memory").expected("no more than memory_size");
  }
  if (out.memory_fraction.value > 1) throw file.at("memory_fraction").expected("a share of 1");
  read_tensor_rates(file, out);
  if (const auto power = file.optional_child("power")) out.power = read_power(*power, out.sources);
  return out;
}

}  // namespace modelmeter
