// modelmeter._core: what the Python package asks of the library. Everything that is said is a document (JSON, text);
// modelmeter/*.py makes classes and tables of them. The interpreter's lock is released while the library works.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "api/data_root.h"
#include "api/devices.h"
#include "api/measured_files.h"
#include "api/named_report.h"
#include "api/run.h"
#include "base/error.h"
#include "cli/multirun.h"
#include "cli/program.h"
#include "config/yaml.h"
#include "fit/fit_request.h"
#include "report/device_list.h"
#include "report/difference.h"
#include "report/json.h"
#include "sweep/store.h"
#include "verify/json.h"

namespace modelmeter {
namespace {

namespace py = pybind11;
using Free = py::call_guard<py::gil_scoped_release>;

// modelmeter.Error of one of ours, as modelmeter/_errors.py has it.
void raise_error(const Error& error) {
  const py::object type = py::module_::import("modelmeter._errors").attr("Error");
  const SourceSpan& span = error.span();
  py::object place = py::none();
  if (span.known()) place = py::make_tuple(span.file, span.line, span.column, span.text);
  const py::object value = type(error.message(), place, error.notes(), error.exit_code(), std::string(error.what()));
  PyErr_SetObject(type.ptr(), value.ptr());
}

std::string compared(const std::string& a, const std::string& b, bool json, size_t layers) {
  const ReportDifference d = difference(report_from_json(a, "a"), report_from_json(b, "b"));
  return json ? difference_json(d) : difference_markdown(d, layers);
}

std::string read_report(const std::string& name) { return to_json(named_report(name)); }

// As JSON and as text.
std::pair<std::string, std::string> devices(const std::vector<std::string>& names) {
  const std::vector<Device> found = devices_named(names);
  return {devices_json(found), names.empty() ? devices_text(found) : device_comparison_text(found)};
}

std::pair<std::string, std::string> validated(const std::vector<std::string>& files, std::string device,
                                              std::string config_name, std::vector<std::string> overrides) {
  const Validation all = validate_files(files, {std::move(device), std::move(config_name), std::move(overrides)});
  return {validation_json(all), validation_text(all)};
}

std::pair<std::string, std::string> calibrated(const std::vector<std::string>& files, const std::string& device) {
  const Calibration fitted = calibrate_device(files, device);
  return {calibration_json(fitted), calibration_text(fitted)};
}

// `ours`: another recording; "": modelmeter's own trace.
std::string verified(const std::vector<std::string>& files, const std::string& ours) {
  std::vector<VerifiedReference> references;
  references.reserve(files.size());
  for (const std::string& file : files) {
    references.push_back(ours.empty() ? verify_reference(file) : verify_recording(ours, file));
  }
  return references_json(references);
}

// As JSON and as text.
std::pair<std::string, std::string> fitted(const Request& request, const FitRequest& asked) {
  const std::unique_ptr<AnalyticModel> model = request.model();
  const std::optional<Machine> machine = request.machine();
  const FitReport report = fit_report(
      *model, [&](const std::vector<std::string>& overrides) { return request.model_with(overrides); },
      machine ? &*machine : nullptr, asked);
  return {fit_json(report), fit_text(report)};
}

// Constructors release the lock by themselves: what they made is registered under it.
void bind_request(py::module_& m) {
  py::class_<Request, std::shared_ptr<Request>>(m, "Request")
      .def(py::init(
          [](std::string name, std::vector<std::string> overrides, std::string path, std::vector<std::string> dirs) {
            const py::gil_scoped_release free;
            return std::make_shared<Request>(
                ConfigRequest{std::move(name), std::move(overrides), std::move(path), std::move(dirs)});
          }))
      .def("yaml", [](const Request& r) { return config::to_yaml(r.config()); })
      .def("json", &Request::json)
      .def("choices", [](const Request& r) { return r.composition().choices; })
      .def("warnings", [](const Request& r) { return r.composition().warnings; });
}

void bind_run(py::module_& m) {
  py::class_<Run, std::shared_ptr<Run>>(m, "Run")
      .def(py::init([](const Request& request) {
        const py::gil_scoped_release free;
        return std::make_shared<Run>(request);
      }))
      .def("report", &Run::report_json, Free())
      .def("notes", &Run::notes)
      .def("summary", &Run::summary, Free())
      .def(
          "memory",
          [](const Run& run, std::string stage, std::string alloc_conf, bool records) {
            return run.memory_json({std::move(stage), std::move(alloc_conf), records});
          },
          Free())
      .def(
          "memory_text",
          [](const Run& run, std::string stage, std::string alloc_conf, int width) {
            return run.memory_text({std::move(stage), std::move(alloc_conf), false}, width);
          },
          Free())
      .def("top", &Run::top_json, Free())
      .def("tree", &Run::tree, Free())
      .def("explain", &Run::explain, Free())
      .def("operators", &Run::operators_json, Free())
      .def("sensitivity", &Run::sensitivity, Free())
      .def("save", &Run::save, Free());
}

// A sweep into a store: run() in one thread, the rest from any other.
class SweepTask {
 public:
  void run(const std::vector<std::string>& words) {
    cli::sweep_into_store(words, [this](int64_t sweep, const SweepProgress& p) {
      number_ = sweep;
      jobs_ = p.jobs;
      done_ = p.before + p.done;
      failed_ = p.failed;
      if (cancelled_) throw Error("the sweep was cancelled");
    });
  }
  std::tuple<int64_t, int64_t, int64_t> progress() const { return {jobs_, done_, failed_}; }
  int64_t number() const { return number_; }
  void cancel() { cancelled_ = true; }

 private:
  std::atomic<int64_t> number_ = 0, jobs_ = 0, done_ = 0, failed_ = 0;
  std::atomic<bool> cancelled_ = false;
};

void merge_stores(const std::string& into, const std::vector<std::string>& stores) {
  SweepStore store(into);
  for (const std::string& other : stores) store.merge(other);
}

void bind_sweep(py::module_& m) {
  py::class_<SweepTask>(m, "Sweep")
      .def(py::init<>())
      .def("run", &SweepTask::run, Free())
      .def("number", &SweepTask::number)
      .def("progress", &SweepTask::progress)
      .def("cancel", &SweepTask::cancel);
  m.def("merge_stores", &merge_stores, Free());
}

}  // namespace
}  // namespace modelmeter

PYBIND11_MODULE(_core, m) {
  using namespace modelmeter;
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& error) {
      raise_error(error);
    }
  });
  m.attr("version") = MODELMETER_VERSION;
  m.def("data_root", &find_data_root);
  m.def("config_names", &config_names, Free());
  m.def("program", &cli::program, Free(), "Runs the command line; gives its exit code.");
  m.def("compare", &compared, Free());
  m.def("read_report", &read_report, Free());
  m.def("verify", &verified, Free());
  m.def("devices", &devices, Free());
  m.def("validate", &validated, Free());
  m.def("calibrate", &calibrated, Free());
  m.def(
      "fit",
      [](const Request& request, std::string memory, std::string alloc_conf, bool max_frames, bool max_size) {
        return fitted(request, {std::move(memory), std::move(alloc_conf), max_frames, max_size});
      },
      Free());
  bind_request(m);
  bind_run(m);
  bind_sweep(m);
}
