// Every document of every entry file and variant, by its fingerprint: golden/documents.csv. It notices any change of
// what a user reads (a note, a column, a name, a unit) where the whole documents in golden/ do not reach; what changed,
// the program shows. MODELMETER_ACCEPT=1 writes the fingerprints anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "entries.h"
#include "fingerprint.h"
#include "memory/memory_report.h"
#include "report/builder.h"
#include "report/json.h"
#include "report/layer_docs.h"
#include "report/memory_json.h"
#include "report/memory_text.h"
#include "report/operator_list.h"
#include "report/summary.h"
#include "table_file.h"

namespace modelmeter {
namespace {

std::string operators_of(const AnalyticModel& model, const Evaluation& run) {
  const TargetOperatorList list = target_operators(model, run, "snapshot");
  std::string out = operators_json(list, "/folder") + operators_markdown(list);
  for (const auto& [name, content] : operator_files(model, list)) out += name + content;
  return out;
}

std::string pages_of(const AnalyticModel& model, const Evaluation& run, const Report& report) {
  std::string out;
  for (const auto& [name, page] : layer_docs(model, run, report, {})) out += name + page;
  return out;
}

std::string fingerprints_of(const std::string& entry, const entries::Overrides& overrides) {
  const std::unique_ptr<AnalyticModel> model = entries::model(entry, overrides);
  const Evaluation run = evaluate(*model);
  const Report report = build_report(*model, run, "documents");
  const MemoryReport memory = build_memory_report(*model, run);
  return fmt::format("{},{},{},{},{},{},{}", fingerprint(to_json(report)), fingerprint(summary_markdown(report)),
                     fingerprint(memory_text(memory)), fingerprint(memory_json(memory)),
                     fingerprint(operators_of(*model, run)), fingerprint(pages_of(*model, run, report)),
                     fingerprint(to_json(build_report(*model, run, "documents", {true}))));
}

TEST(Documents, OfEveryEntryAreAsPinned) {
#ifdef MODELMETER_SANITIZED
  GTEST_SKIP()
      << "skipped under sanitizers, where it takes minutes: the cases and golden_test make all kinds of documents";
#endif
  entries::expect_rows("documents.csv",
                       "report.json,summary.md,memory,memory --json,operators,layers,expanded report.json",
                       fingerprints_of);
}

}  // namespace
}  // namespace modelmeter
