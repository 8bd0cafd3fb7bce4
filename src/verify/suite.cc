#include "verify/suite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/files.h"
#include "base/gzip.h"
#include "model/registry.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

// A line of figures: ours, and where the reference has others, its own and the difference below.
struct Row {
  std::string name, klass, reference_klass;
  const std::vector<ComparedFigure>* figures;
  std::string verdict;
};

std::string table_of(const std::vector<Row>& rows) {
  if (rows.empty()) return "";
  size_t name_width = std::string("  difference").size(), class_width = 0;
  std::vector<size_t> widths;
  for (const ComparedFigure& f : *rows.front().figures) widths.push_back(f.name.size());
  for (const Row& row : rows) {
    name_width = std::max(name_width, row.name.size());
    class_width = std::max({class_width, row.klass.size(), row.reference_klass.size()});
    for (size_t i = 0; i < widths.size(); ++i) {
      const ComparedFigure& f = row.figures->at(i);
      widths[i] = std::max({widths[i], to_string(f.ours).size(), to_string(f.reference).size(),
                            fmt::format("{:+}", (f.ours - f.reference).value()).size()});
    }
  }
  const auto line = [&](const std::string& name, const std::string& klass, const auto& cell,
                        const std::string& verdict) {
    std::string out = fmt::format("{:<{}}", name, name_width);
    if (class_width > 0) out += fmt::format("  {:<{}}", klass, class_width);
    for (size_t i = 0; i < widths.size(); ++i) out += fmt::format("  {:>{}}", cell(i), widths[i]);
    if (!verdict.empty()) out += "  " + verdict;
    return out + "\n";
  };

  std::string out = line("", "", [&](size_t i) { return rows.front().figures->at(i).name; }, "");
  for (const Row& row : rows) {
    const std::vector<ComparedFigure>& f = *row.figures;
    out += line(row.name, row.klass, [&](size_t i) { return to_string(f[i].ours); }, row.verdict);
    const bool equal = std::all_of(f.begin(), f.end(), [](const ComparedFigure& x) { return x.equal(); });
    if (equal && row.klass == row.reference_klass) continue;
    out += line("  reference", row.reference_klass, [&](size_t i) { return to_string(f[i].reference); }, "");
    out += line(
        "  difference", "",
        [&](size_t i) { return f[i].equal() ? "" : fmt::format("{:+}", (f[i].ours - f[i].reference).value()); }, "");
  }
  return out;
}

const char* verdict(bool equal) { return equal ? "=" : "DIFFERENT"; }

std::string layers_text(const VerifiedReference& r) {
  std::vector<Row> rows;
  for (const ComparedModule& m : r.comparison.modules) {
    const bool equal = m.equal();  // a list may be of another class
    rows.push_back({m.name.empty() ? "(whole)" : m.name, m.klass, equal ? m.klass : m.reference_klass, &m.figures,
                    verdict(equal)});
  }
  return fmt::format("{} ({})\nreference: {}\n\n{}{}", r.name, r.stage, r.reference.code, table_of(rows),
                     differences_of(r.comparison));
}

std::string pipeline_text(const std::vector<VerifiedReference>& references) {
  std::vector<Row> rows;
  for (const VerifiedReference& r : references) {
    rows.push_back({r.name, r.stage, r.stage, &r.comparison.totals, verdict(r.comparison.equal())});
  }
  std::string out = table_of(rows);
  for (const VerifiedReference& r : references) {
    if (!r.comparison.equal()) out += fmt::format("\n{}\n{}", r.name, table_of(r.comparison, r.reference));
  }
  return out;
}

std::vector<std::string> workloads_below(const fs::path& root) {
  std::vector<std::string> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root, absent)) {
    if (entry.is_directory()) out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

namespace {

void compare_as(VerifiedReference& verified, const Recording& header) {
  const std::shared_ptr<const Stage> stage = stage_of_recording(header);
  verified.stage = stage->id();
  verified.comparison = compare(recording_of(*stage), verified.reference);
}

void compare_other_readings(VerifiedReference& verified) {
  const std::vector<HeaderReading> readings = readings_of(verified.reference);
  if (readings.empty()) return;
  VerifiedReference other = verified;
  for (const HeaderReading& reading : readings) {
    Recording header = verified.reference;
    header.workload = reading.workload;
    try {
      compare_as(other, header);
    } catch (const Error&) {  // the code does not run so
      continue;
    }
    if (!other.comparison.equal()) continue;
    verified.stage = other.stage;
    verified.comparison = other.comparison;
    verified.note = "the header does not say, and the recording is of " + reading.said;
    return;
  }
  verified.note = "the header does not say which, and the recording differs from all of:";
  for (const HeaderReading& reading : readings)
    verified.note += (&reading == readings.data() ? " " : "; ") + reading.said;
}

}  // namespace

VerifiedReference verify_reference(const std::string& file) {
  VerifiedReference out;
  out.file = file;
  out.name = fs::path(file).stem().string();
  out.reference = read_recording(read_gzipped(file), file);
  try {
    compare_as(out, out.reference);
    if (!out.comparison.equal()) compare_other_readings(out);
  } catch (const Error& error) {
    throw error.with_note(fmt::format("the reference is {}", file));
  }
  return out;
}

VerifiedReference verify_recording(const std::string& file, const std::string& reference) {
  VerifiedReference out;
  out.file = reference;
  out.name = fs::path(reference).stem().string();
  out.stage = "recording";
  out.reference = read_recording_file(reference);
  const Recording ours = read_recording_file(file);
  if (out.reference.sections.empty() && !ours.sections.empty()) {
    throw Error(fmt::format("{}: it has no kernels to compare, but the sums of its sections alone", file));
  }
  out.comparison = compare(ours, out.reference, "recording");
  return out;
}

SuiteView parse_suite_view(const std::string& name) {
  if (name == "layers") return SuiteView::layers;
  if (name == "end2end") return SuiteView::end2end;
  if (name == "pipeline") return SuiteView::pipeline;
  std::vector<std::string> notes = name_notes(name, {"layers", "end2end", "pipeline"}, "modes");
  notes.push_back("--reference FILE compares one recording");
  throw Error(ErrorCode::usage, fmt::format("unknown mode '{}'", name), {}, notes);
}

std::string suite_folder(const std::string& root, const std::string& workload) {
  const std::vector<std::string> known = workloads_below(root);
  if (std::find(known.begin(), known.end(), workload) != known.end()) return (fs::path(root) / workload).string();
  if (known.empty()) {
    throw Error(fmt::format("there are no references in {}", root), {},
                {"they stand in the source tree, in tests/reference; --dir DIR names another folder"});
  }
  throw Error(fmt::format("there are no references of workload '{}' in {}", workload, root), {},
              name_notes(workload, known, "workloads with references"));
}

std::vector<VerifiedReference> verify_suite(const std::string& folder, SuiteView view) {
  std::error_code error;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  if (error) throw Error(fmt::format("{}: {}", folder, error.message()));
  std::sort(files.begin(), files.end());

  std::vector<VerifiedReference> out;
  for (const std::string& file : files) {
    VerifiedReference verified = verify_reference(file);
    if (view == SuiteView::end2end && !is_whole_forward(verified.stage)) continue;
    out.push_back(std::move(verified));
  }
  if (out.empty()) {
    throw Error(fmt::format("{}: there is no reference{}", folder,
                            view == SuiteView::end2end ? " of a whole model's forward" : ""));
  }
  std::stable_sort(out.begin(), out.end(), [](const VerifiedReference& a, const VerifiedReference& b) {
    return place_in_pipeline(a.stage) < place_in_pipeline(b.stage);
  });
  return out;
}

bool all_equal(const std::vector<VerifiedReference>& references) {
  return std::all_of(references.begin(), references.end(),
                     [](const VerifiedReference& r) { return r.comparison.equal(); });
}

std::string suite_text(const std::vector<VerifiedReference>& references, SuiteView view) {
  std::string out;
  if (view == SuiteView::pipeline) out = pipeline_text(references) + "\n";
  std::vector<std::string> different;
  for (const VerifiedReference& r : references) {
    if (view == SuiteView::layers) out += layers_text(r) + "\n";
    if (view == SuiteView::end2end) out += fmt::format("{}\n{}\n", r.name, table_of(r.comparison, r.reference));
    if (!r.comparison.equal()) different.push_back(r.name);
  }
  out += fmt::format("{} references, ", references.size());
  out += different.empty() ? "no difference\n"
                           : fmt::format("{} of them DIFFERENT: {}\n", different.size(), fmt::join(different, ", "));
  return out;
}

}  // namespace modelmeter
