// What every entry file costs, under every implementation and variant of how it runs: one row each in
// golden/totals.csv, compared exactly. MODELMETER_ACCEPT=1 writes the rows anew; `git diff` then shows each figure that
// moved.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "entries.h"
#include "report/builder.h"

namespace modelmeter {
namespace {

using Overrides = std::vector<std::string>;

// Ways to run an entry, each a list of overrides.
std::vector<Overrides> variants_of(const std::string& entry) {
  if (entry == "deepseek_ocr_2") {
    return {{}, {"workload.profile_id=dsocr2-small"}, {"runtime.attention=eager"}, {"workload.batch_size=2"}};
  }
  if (entry == "deepseek_ocr") {
    return {{},
            {"workload.profile_id=dsocr-tiny"},
            {"workload.profile_id=dsocr-small"},
            {"workload.profile_id=dsocr-base"},
            {"workload.profile_id=dsocr-large"},
            {"workload.profile_id=dsocr-gundam"},
            {"runtime.attention=eager"},
            {"runtime.precision=bf16"},
            {"runtime.sampling=true"},
            {"workload.batch_size=2", "workload.num_pages=4"}};
  }
  std::vector<Overrides> out = {
      {"runtime=official"}, {"runtime=diffusers"}, {"runtime=diffusers", "runtime.attention=math"}};
  if (!entries::is_pipeline(entry)) return out;
  for (const char* more :
       {"runtime.residency=offload", "runtime.scheduler=dpm++", "runtime.cfg=false", "runtime.t5_cpu=true"}) {
    out.push_back({"runtime=official", more});
  }
  for (const char* more : {"runtime.residency=offload", "runtime.residency=sequential", "runtime.vae_tiling=true",
                           "runtime.cfg=false", "workload.batch_size=2"}) {
    out.push_back({"runtime=diffusers", more});
  }
  return out;
}

constexpr char header[] =
    "entry,overrides,kernels,flops_torch,flops_full,bytes_read,bytes_written,parameters,weight_bytes,"
    "activation_peak_bytes,kv_cache_bytes,peak_live_bytes\n";

// The figures of a run, or why there is none.
std::string figures_of(const std::string& entry, const Overrides& overrides) {
  try {
    const Figures f = build_report(*entries::model(entry, overrides), "totals").totals;
    return fmt::format("{},{},{},{},{},{},{},{},{},{}", f.kernels, f.flops_torch, f.flops_full, f.bytes_read,
                       f.bytes_written, f.parameters, f.weight_bytes, f.activation_peak_bytes, f.kv_cache_bytes,
                       f.peak_live_bytes.value());
  } catch (const Error& error) {
    return fmt::format("refused: {}", error.message());
  }
}

// Rows by entry and overrides.
std::map<std::string, std::string> rows_of(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t second = line.find(',', line.find(',') + 1);
    out[line.substr(0, second)] = line.substr(second + 1);
  }
  return out;
}

TEST(Totals, OfEveryEntryAreAsPinned) {
  std::string text = header;
  for (const std::string& entry : entries::all()) {
    for (const Overrides& overrides : variants_of(entry)) {
      text += fmt::format("{},{},{}\n", entry, fmt::join(overrides, " "), figures_of(entry, overrides));
    }
  }
  const std::string file = entries::source + "/tests/golden/totals.csv";
  const char* accept = std::getenv("MODELMETER_ACCEPT");
  if (accept != nullptr && std::string(accept) == "1") write_files({{file, text}});
  const std::string pinned = read_file(file);
  if (text == pinned) return;
  const std::map<std::string, std::string> ours = rows_of(text), theirs = rows_of(pinned);
  for (const auto& [run, figures] : ours) {
    const auto found = theirs.find(run);
    EXPECT_EQ(figures, found == theirs.end() ? "no row" : found->second) << run;
  }
  for (const auto& [run, figures] : theirs)
    EXPECT_EQ(ours.count(run), 1u) << run << " is pinned and not run: " << figures;
  FAIL() << file << " differs. If that is right: MODELMETER_ACCEPT=1 ctest -R Totals";
}

}  // namespace
}  // namespace modelmeter
