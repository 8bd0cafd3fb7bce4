#include "verify/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/gzip.h"
#include "verify/csv.h"
#include "verify/profile_readers.h"

namespace modelmeter {
namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string shapes_text(const std::vector<std::vector<int64_t>>& shapes) {
  std::string out;
  for (const auto& shape : shapes) out += fmt::format("{}[{}]", out.empty() ? "" : ",", fmt::join(shape, ","));
  return "[" + out + "]";
}

}  // namespace

Profile read_profile(const std::string& path) {
  const std::string text = read_gzipped(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) throw Error(fmt::format("{}: not a profile: an empty file", path));
  constexpr std::string_view sqlite = "SQLite format 3";
  if (text.compare(0, sqlite.size(), sqlite) == 0) return read_nsight_database(path);
  if (text[first] == '{' || text[first] == '[') return read_chrome_trace(path, text);
  const std::string header = text.substr(first, text.find('\n', first) - first);
  if (header.find("kernels") == std::string::npos || header.find("shapes") == std::string::npos) {
    return read_nsight_csv(path, text);
  }
  Profile out;
  out.path = path;
  out.source = "launches";
  out.launches = read_launch_file(path);
  if (out.launches.empty()) throw Error(fmt::format("{}: no launches", path));
  return out;
}

std::string device_of_name(const std::string& name) {
  struct Known {
    const char *part, *device;
  };
  // The more special first.
  static constexpr std::array<Known, 30> known = {{{"H100 PCIe", "h100_pcie"},
                                                   {"H100 80GB HBM3", "h100_sxm"},
                                                   {"H800", "h800_sxm"},
                                                   {"H200", "h200_sxm"},
                                                   {"GB200", "gb200"},
                                                   {"GB300", "gb300"},
                                                   {"B200", "b200_sxm"},
                                                   {"A100-SXM4-80GB", "a100_sxm"},
                                                   {"A100-SXM4-40GB", "a100_sxm_40gb"},
                                                   {"A100-PCIE-40GB", "a100_pcie_40gb"},
                                                   {"A100 80GB PCIe", "a100_pcie"},
                                                   {"A800-SXM4", "a800_sxm"},
                                                   {"RTX 4090", "rtx_4090"},
                                                   {"RTX 5090", "rtx_5090"},
                                                   {"RTX 3090", "rtx_3090"},
                                                   {"RTX A6000", "rtx_a6000"},
                                                   {"L40S", "l40s"},
                                                   {"NVIDIA L40", "l40"},
                                                   {"NVIDIA L4", "l4"},
                                                   {"RTX PRO 6000", "rtx_pro_6000"},
                                                   {"GH200 480GB", "gh200_96gb"},
                                                   {"V100-SXM2-16GB", "v100_sxm_16gb"},
                                                   {"V100-SXM2-32GB", "v100_sxm_32gb"},
                                                   {"NVIDIA A40", "a40"},
                                                   {"NVIDIA A30", "a30"},
                                                   {"NVIDIA A10", "a10"},
                                                   {"MI300X", "mi300x"},
                                                   {"MI325X", "mi325x"},
                                                   {"MI355X", "mi355x"},
                                                   {"MI250X", "mi250x_gcd"}}};
  for (const Known& k : known) {
    if (name.find(k.part) != std::string::npos) return k.device;
  }
  return "";
}

std::string launch_file_text(const std::vector<MeasuredLaunch>& launches) {
  std::string out = "n,op,module,shapes,dtypes,us,kernels\n";
  for (size_t i = 0; i < launches.size(); ++i) {
    const MeasuredLaunch& l = launches[i];
    out += fmt::format("{},aten.{},{},{},{},{:.3f},{}\n", i, quoted(l.op), quoted(l.module),
                       quoted(shapes_text(l.shapes)), fmt::join(l.dtypes, " "), l.us, quoted(l.kernels));
  }
  return out;
}

}  // namespace modelmeter
