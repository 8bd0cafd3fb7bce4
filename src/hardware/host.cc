#include "hardware/host.h"

#include <utility>

#include "base/edit_distance.h"

namespace modelmeter {
namespace {

constexpr double us = 1e-6, gb = 1e9;

constexpr std::pair<const char*, double Host::*> host_calls[] = {
    {"elementwise_us", &Host::elementwise}, {"matmul_us", &Host::matmul},           {"norm_us", &Host::norm},
    {"attention_us", &Host::attention},     {"convolution_us", &Host::convolution}, {"python_us", &Host::python},
};

}  // namespace

Host read_host(const config::View& file, const std::string& id) {
  file.require_known_keys({"name", "sources", "source", "spread", "elementwise_us", "matmul_us", "norm_us",
                           "attention_us", "convolution_us", "python_us", "copies_source", "pinned_share",
                           "pageable_to_device_gb_s", "pageable_to_host_gb_s"});
  Host out;
  out.id = id;
  out.name = file.get<std::string>("name");
  out.sources = read_sources(file);
  std::vector<std::string> names;
  for (const Source& source : out.sources) names.push_back(source.key);
  file.get_choice("source", names);
  for (const auto& [key, member] : host_calls) out.*member = file.get_non_negative<double>(key) * us;
  file.get_choice("copies_source", names);
  out.pinned_share = file.get_positive<double>("pinned_share");
  if (out.pinned_share > 1) throw file.at("pinned_share").expected("a share of 1");
  out.pageable_to_device = file.get_positive<double>("pageable_to_device_gb_s") * gb;
  out.pageable_to_host = file.get_positive<double>("pageable_to_host_gb_s") * gb;
  out.spread = file.get_non_negative<double>("spread");
  return out;
}

}  // namespace modelmeter
