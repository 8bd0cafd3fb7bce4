// The reports of the named workloads, byte for byte. MODELMETER_ACCEPT=1 writes the new ones into the source tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <ostream>

#include "base/files.h"
#include "config/compose.h"
#include "model/registry.h"
#include "report/builder.h"
#include "report/json.h"

namespace modelmeter {
namespace {

// A report in golden/, and the configuration that it is of.
struct Named {
  std::string file, config;
  std::vector<std::string> overrides;
};

// A parameter is shown by its name alone.
void PrintTo(const Named& named, std::ostream* out) { *out << named.file; }

const std::vector<Named>& named_reports() {
  static const std::vector<Named> all = [] {
    std::vector<Named> out;
    for (const std::string workload : {"wan2-1-ci-tiny", "wan2-1-512p", "wan2-1-720p"}) {
      for (const std::string runtime : {"official", "diffusers"}) {
        out.push_back(
            {workload + "-" + runtime, "wan2_1_t2v_14b", {"workload.profile_id=" + workload, "runtime=" + runtime}});
      }
    }
    out.push_back({"dsocr-standard-v1", "deepseek_ocr", {}});
    out.push_back({"dsocr2-standard", "deepseek_ocr_2", {}});
    return out;
  }();
  return all;
}

std::string report_text(const Named& named) {
  const std::string source = MODELMETER_SOURCE_DIR;
  const config::Repository repository(source + "/configs", {});
  const config::Node config = config::resolve(config::compose(repository, named.config, named.overrides));
  const std::unique_ptr<AnalyticModel> model = build_model(config::View(config), {source});
  Report report = build_report(*model, named.file);
  if (report.family == "deepseek_ocr") report.layer_docs_dir = "/output/layers";
  std::string text = to_json(report);
  // Where the checkout is does not matter.
  const size_t at = text.find(source + "/models");
  if (at != std::string::npos) text.replace(at, source.size(), "/source");
  return text;
}

class Golden : public testing::TestWithParam<Named> {};

TEST_P(Golden, ReportIsAsItWas) {
  const std::string file = std::string(MODELMETER_SOURCE_DIR) + "/tests/golden/" + GetParam().file + ".json";
  const std::string text = report_text(GetParam());
  const char* accept = std::getenv("MODELMETER_ACCEPT");
  if (accept != nullptr && std::string(accept) == "1") write_files({{file, text}});
  const std::string golden = read_file(file);
  if (text == golden) return;
  const auto difference = std::mismatch(text.begin(), text.end(), golden.begin(), golden.end());
  const auto line = 1 + std::count(text.begin(), difference.first, '\n');
  FAIL() << file << ":" << line << " differs. If that is right: MODELMETER_ACCEPT=1 ctest -R Golden";
}

INSTANTIATE_TEST_SUITE_P(Workloads, Golden, testing::ValuesIn(named_reports()), [](const auto& test) {
  std::string name = test.param.file;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace modelmeter
