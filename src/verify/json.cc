#include "verify/json.h"

#include "base/json_writer.h"

namespace modelmeter {
namespace {

void write(const std::vector<ComparedFigure>& figures, const char* name, const std::string& ours, DocumentWriter& out) {
  out.list(name, figures, [&](const ComparedFigure& f) {
    out.map([&] {
      out.field("name", f.name);
      out.field(ours, f.ours);
      out.field("reference", f.reference);
      out.field("equal", f.equal());
    });
  });
}

void write(const std::vector<ComparedModule>& modules, const std::string& ours, DocumentWriter& out) {
  out.list("modules", modules, [&](const ComparedModule& m) {
    out.map([&] {
      out.field("name", m.name);
      out.field("class", m.klass);
      out.field("reference_class", m.reference_klass);
      out.field("equal", m.equal());
      write(m.figures, "figures", ours, out);
    });
  });
}

void write(const VerifiedReference& verified, bool modules, DocumentWriter& out) {
  const Comparison& c = verified.comparison;
  out.map([&] {
    out.field("reference", verified.file);
    out.field("stage", verified.stage);
    out.field("equal", c.equal());
    if (!verified.note.empty()) out.field("note", verified.note);
    write(c.totals, "totals", c.ours, out);
    out.field("kernels_compared", c.kernels_compared);
    out.field("kernels_different", c.kernels_different);
    out.list("first_different_kernels", c.first_kernels, [&](const KernelDifference& d) {
      out.map([&] {
        out.field("index", d.index);
        out.field(c.ours, d.ours);
        out.field("reference", d.reference);
      });
    });
    if (!c.kernels_given) {
      out.field("sections_compared", c.sections_compared);
      out.field("section_differences", c.section_differences);
    }
    if (!c.stage_differences.empty()) out.field("stage_differences", c.stage_differences);
    out.field("modules_compared", c.modules.size());
    out.field("module_differences", c.module_differences);
    out.field("parameters_compared", c.parameters_compared);
    out.field("parameter_differences", c.parameter_differences);
    if (modules) write(c.modules, c.ours, out);
  });
}

void write(const std::vector<VerifiedReference>& references, bool modules, DocumentWriter& out) {
  out.field("equal", all_equal(references));
  out.list("references", references, [&](const VerifiedReference& r) { write(r, modules, out); });
}

}  // namespace

std::string references_json(const std::vector<VerifiedReference>& references) {
  return json_text([&](DocumentWriter& out) { out.map([&] { write(references, false, out); }); });
}

std::string suite_json(const std::vector<VerifiedReference>& references, const std::string& mode,
                       const std::string& workload) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("mode", mode);
      out.field("workload", workload);
      write(references, parse_suite_view(mode) == SuiteView::layers, out);
    });
  });
}

}  // namespace modelmeter
