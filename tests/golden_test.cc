// The reports of the named workloads, byte for byte. MODELMETER_ACCEPT=1 writes the new ones into the source tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "config/compose.h"
#include "model/registry.h"
#include "report/builder.h"
#include "report/files.h"
#include "report/json.h"

namespace modelmeter {
namespace {

struct Named {
  std::string workload, implementation;
};

std::string report_text(const Named& named) {
  const std::string source = MODELMETER_SOURCE_DIR;
  const config::Repository repository(source + "/configs", {});
  const config::Node config = config::resolve(config::compose(
      repository, "wan2_1_t2v_14b", {"workload.profile_id=" + named.workload, "runtime=" + named.implementation}));
  const std::unique_ptr<AnalyticModel> model = build_model(config::View(config), {source});
  std::string text = to_json(build_report(*model, named.workload + "-" + named.implementation));
  // Where the checkout is does not matter.
  const size_t at = text.find(source + "/models");
  if (at != std::string::npos) text.replace(at, source.size(), "/source");
  return text;
}

class Golden : public testing::TestWithParam<Named> {};

TEST_P(Golden, ReportIsAsItWas) {
  const std::string file = std::string(MODELMETER_SOURCE_DIR) + "/tests/golden/" + GetParam().workload + "-" +
                           GetParam().implementation + ".json";
  const std::string text = report_text(GetParam());
  const char* accept = std::getenv("MODELMETER_ACCEPT");
  if (accept != nullptr && std::string(accept) == "1") write_files({{file, text}});
  const std::string golden = read_file(file);
  if (text == golden) return;
  const auto difference = std::mismatch(text.begin(), text.end(), golden.begin(), golden.end());
  const auto line = 1 + std::count(text.begin(), difference.first, '\n');
  FAIL() << file << ":" << line << " differs. If that is right: MODELMETER_ACCEPT=1 ctest -R golden";
}

INSTANTIATE_TEST_SUITE_P(Workloads, Golden,
                         testing::Values(Named{"wan2-1-ci-tiny", "official"}, Named{"wan2-1-ci-tiny", "diffusers"},
                                         Named{"wan2-1-512p", "official"}, Named{"wan2-1-512p", "diffusers"},
                                         Named{"wan2-1-720p", "official"}, Named{"wan2-1-720p", "diffusers"}),
                         [](const auto& test) {
                           std::string name = test.param.workload + "_" + test.param.implementation;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace modelmeter
