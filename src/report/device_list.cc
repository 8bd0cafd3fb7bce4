#include "report/device_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tuple>

#include "base/json_writer.h"
#include "report/table.h"

namespace modelmeter {
namespace {

std::string quantity_text(const Quantity& quantity, double unit, const char* unit_name) {
  if (!quantity.known()) return "-";
  return fmt::format("{:.6g}{}{}", quantity.value / unit, *unit_name == '\0' ? "" : " ", unit_name);
}

std::string shown_rate(const Device& device, const char* precision) {
  const TensorRate* rate = device.find_rate(precision);
  return rate == nullptr ? "-" : fmt::format("{:.6g}", rate->rate.value / 1e12);
}

// The figures of one device, with the names that tables show.
struct NamedQuantity {
  std::string title, shown;
  const Quantity* quantity;
};

std::vector<NamedQuantity> quantities_of(const Device& device) {
  std::vector<NamedQuantity> out;
  for (const DeviceField& field : device_fields()) {
    const Quantity& quantity = device.*field.member;
    out.push_back({field.title, quantity_text(quantity, field.unit, field.unit_name), &quantity});
  }
  static const Quantity none;
  static const PowerModel no_power;
  for (const char* precision : {"fp64", "tf32", "fp16", "bf16", "fp8", "int8", "fp4"}) {
    const TensorRate* rate = device.find_rate(precision);
    const Quantity& quantity = rate == nullptr ? none : rate->rate;
    out.push_back({fmt::format("{}, matrix units", precision), quantity_text(quantity, 1e12, "TFLOP/s"), &quantity});
  }
  const PowerModel& power = device.power ? *device.power : no_power;
  for (const auto& [title, quantity, unit, unit_name] :
       {std::tuple{"idle", &power.idle, 1.0, "W"}, std::tuple{"of the limit, sustained", &power.sustained, 1.0, ""},
        std::tuple{"energy, memory traffic", &power.memory, 1e-12, "pJ/B"},
        std::tuple{"energy, GEMM of 16 bits", &power.tensor, 1e-12, "pJ/FLOP"},
        std::tuple{"energy, FlashAttention 2", &power.attention, 1e-12, "pJ/FLOP"}}) {
    out.push_back({title, quantity_text(*quantity, unit, unit_name), quantity});
  }
  return out;
}

void write(const Device& device, const std::string& key, const Quantity& quantity, DocumentWriter& out) {
  if (!quantity.known()) return out.field(key, nullptr);
  const Source& source = device.source(quantity.source);
  out.map(key, [&] {
    out.field("value", quantity.value);
    out.field("kind", source.kind);
    out.field("date", source.date);
    out.field("source", source.title);
  });
}

}  // namespace

std::string devices_text(const std::vector<Device>& devices) {
  Table table({"Device", "Name", "", "Memory", "GB/s", "SMs", "MHz", "bf16", "fp8", "W", "USD/h"},
              {Align::left, Align::left, Align::left, Align::right, Align::right, Align::right, Align::right,
               Align::right, Align::right, Align::right, Align::right});
  for (const Device& d : devices) {
    table.add({d.id, d.name, d.architecture, quantity_text(d.memory_size, 1e9, "GB"),
               quantity_text(d.memory_bandwidth, 1e9, ""), quantity_text(d.sm_count, 1, ""),
               quantity_text(d.boost_clock, 1e6, ""), shown_rate(d, "bf16"), shown_rate(d, "fp8"),
               quantity_text(d.power_limit, 1, ""), quantity_text(d.price, 1, "")});
  }
  return table.markdown() +
         "\nRates are dense TFLOP/s. `modelmeter devices NAME NAME` compares, with the source of each figure.\n";
}

std::string clusters_text(const std::vector<Cluster>& clusters) {
  Table table(
      {"Cluster", "Name", "GPUs a node", "Devices", "Link", "GB/s", "Network GB/s", "Collectives"},
      {Align::left, Align::left, Align::right, Align::left, Align::left, Align::right, Align::right, Align::left});
  for (const Cluster& c : clusters) {
    const bool curves = !c.curves.empty();
    table.add({c.id, c.name, std::to_string(c.gpus_per_node), fmt::format("{}", fmt::join(c.devices, ", ")),
               c.link == LinkKind::pcie ? "PCIe" : "NVSwitch", quantity_text(c.link_bandwidth, 1e9, ""),
               quantity_text(c.network_bandwidth, 1e9, ""), curves ? "by curves" : "by the link"});
  }
  return table.markdown() + "\nRates are of one GPU, one way; docs/plans.md says how long collectives take.\n";
}

std::string device_comparison_text(const std::vector<Device>& devices) {
  std::vector<std::string> header = {""};
  std::vector<Align> align = {Align::left};
  for (const Device& d : devices) {
    header.push_back(d.id);
    align.push_back(Align::right);
  }
  Table table(header, align);
  std::vector<std::vector<NamedQuantity>> columns;
  for (const Device& d : devices) columns.push_back(quantities_of(d));
  for (size_t row = 0; row < columns.front().size(); ++row) {
    std::vector<std::string> cells = {columns.front()[row].title};
    for (const auto& column : columns) {
      const Quantity& quantity = *column[row].quantity;
      cells.push_back(quantity.known() ? fmt::format("{} [{}]", column[row].shown, quantity.source) : "-");
    }
    table.add(std::move(cells));
  }
  std::string out = table.markdown();
  for (const Device& d : devices) {
    out += fmt::format("\n{}: {}, {}\n", d.id, d.name, d.architecture);
    for (const Source& s : d.sources) out += fmt::format("- [{}] {}, {}: {}\n", s.key, s.kind, s.date, s.title);
    if (!d.notes.empty()) out += fmt::format("- {}\n", d.notes);
  }
  return out;
}

std::string devices_json(const std::vector<Device>& devices) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("units", "base units: B, B/s, FLOP/s, Hz, W, USD/h");
      out.list("devices", devices, [&](const Device& d) {
        out.map([&] {
          out.field("device", d.id);
          out.field("name", d.name);
          out.field("vendor", d.vendor);
          out.field("architecture", d.architecture);
          for (const DeviceField& field : device_fields()) write(d, field.key, d.*field.member, out);
          out.map("tensor_rates", [&] {
            for (const TensorRate& rate : d.tensor_rates) write(d, rate.precision, rate.rate, out);
          });
        });
      });
    });
  });
}

}  // namespace modelmeter
