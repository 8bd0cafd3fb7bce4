#include "hardware/host.h"

#include <utility>

#include "base/edit_distance.h"

namespace modelmeter {
namespace {

constexpr double us = 1e-6;

constexpr std::pair<const char*, double Host::*> host_calls[] = {
    {"elementwise_us", &Host::elementwise}, {"matmul_us", &Host::matmul},           {"norm_us", &Host::norm},
    {"attention_us", &Host::attention},     {"convolution_us", &Host::convolution}, {"python_us", &Host::python},
};

}  // namespace

Host read_host(const config::View& file, const std::string& id) {
  file.require_known_keys({"name", "sources", "source", "spread", "elementwise_us", "matmul_us", "norm_us",
                           "attention_us", "convolution_us", "python_us"});
  Host out;
  out.id = id;
  out.name = file.get<std::string>("name");
  out.sources = read_sources(file);
  std::vector<std::string> names;
  for (const Source& source : out.sources) names.push_back(source.key);
  file.get_choice("source", names);
  for (const auto& [key, member] : host_calls) out.*member = file.get_non_negative<double>(key) * us;
  out.spread = file.get_non_negative<double>("spread");
  return out;
}

}  // namespace modelmeter
