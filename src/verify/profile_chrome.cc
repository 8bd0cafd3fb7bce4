// The trace of torch.profiler (Kineto): events of the CPU's ops, of the runtime calls that launch, and of what ran on
// the device.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "verify/forward_launches.h"
#include "verify/profile_readers.h"

namespace modelmeter {
namespace {

using ChromeJson = nlohmann::json;

constexpr size_t longest_name = 150;  // of a kernel, as in files of launches

// Something with a beginning and an end on a thread of the CPU.
struct Span {
  int64_t thread = 0;
  double begin = 0, end = 0;
  std::string name;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::string> dtypes;
};

struct RuntimeCall {
  int64_t thread = 0;
  double at = 0;
  bool graph = false;  // cudaGraphLaunch: kernels are none of the op's around it
};

struct DeviceEvent {
  double begin = 0, us = 0;
  int64_t correlation = -1;
  std::string name;
};

const char* short_type(const std::string& type) {
  static const std::map<std::string, const char*> names = {{"float", "f32"},
                                                           {"double", "f64"},
                                                           {"c10::BFloat16", "bf16"},
                                                           {"c10::Half", "f16"},
                                                           {"long int", "i64"},
                                                           {"long", "i64"},
                                                           {"int", "i32"},
                                                           {"short int", "i16"},
                                                           {"signed char", "i8"},
                                                           {"unsigned char", "u8"},
                                                           {"bool", "b1"},
                                                           {"c10::complex<double>", "c128"},
                                                           {"c10::complex<float>", "c64"},
                                                           {"c10::Float8_e4m3fn", "f8e4m3"},
                                                           {"TensorList", "TensorList"}};
  const auto found = names.find(type);
  return found == names.end() ? nullptr : found->second;
}

double number_at(const ChromeJson& event, const char* key) {
  const auto found = event.find(key);
  if (found == event.end()) return 0;
  if (found->is_number()) return found->get<double>();
  return 0;
}

int64_t thread_of(const ChromeJson& event) {
  const auto found = event.find("tid");
  if (found == event.end()) return 0;
  if (found->is_number()) return found->get<int64_t>();
  return static_cast<int64_t>(std::hash<std::string>()(found->dump()));
}

std::optional<std::vector<int64_t>> sizes_in(const ChromeJson& dims) {
  std::vector<int64_t> out;
  for (const ChromeJson& n : dims) {
    if (!n.is_number_integer()) return std::nullopt;
    out.push_back(n.get<int64_t>());
  }
  return out;
}

class ChromeTrace {
 public:
  // An event of the file; what is none of these kinds is left out.
  void add(const ChromeJson& event) {
    const std::string category = event.value("cat", "");
    if (category == "cpu_op") return add_op(event);
    if (category == "cuda_runtime" || category == "cuda_driver" || category == "hip_runtime") return add_call(event);
    if (category == "kernel" || category == "gpu_memcpy" || category == "gpu_memset")
      return add_kernel(event, category);
    if (category == "python_function") return add_module(event);
    if (category == "user_annotation") add_step(event);
  }

  bool empty() const { return kernels_.empty(); }

  void fill(Profile& profile) {
    std::stable_sort(kernels_.begin(), kernels_.end(),
                     [](const DeviceEvent& a, const DeviceEvent& b) { return a.begin < b.begin; });
    const std::vector<int64_t> ops = innermost(ops_), modules = innermost(modules_);
    const bool steps = last_step_end_ > last_step_begin_;
    int64_t before = -1;
    bool joined = false;
    for (size_t i = 0; i < kernels_.size(); ++i) {
      const DeviceEvent& kernel = kernels_[i];
      if (steps && !in_last_step(kernel)) continue;
      if (before < 0 || ops[i] != before || profile.launches.empty()) {
        profile.launches.push_back(launch_of(ops[i], modules[i], kernel));
      }
      before = ops[i];
      joined |= ops[i] >= 0;
      MeasuredLaunch& launch = profile.launches.back();
      launch.us += kernel.us;
      launch.kernels += fmt::format("{}{}={:.3f}", launch.kernels.empty() ? "" : ";", kernel.name, kernel.us);
    }
    profile.has_ops = joined;
    if (steps) profile.notes.push_back(fmt::format("of {} steps, {}", step_count_, last_step_));
  }

 private:
  static Span span_of(const ChromeJson& event) {
    Span out;
    out.thread = thread_of(event);
    out.begin = number_at(event, "ts");
    out.end = out.begin + number_at(event, "dur");
    out.name = event.value("name", "");
    return out;
  }

  void add_op(const ChromeJson& event) {
    Span op = span_of(event);
    constexpr std::string_view prefix = "aten::";
    if (op.name.rfind(prefix, 0) == 0) op.name.erase(0, prefix.size());
    const auto arguments = event.find("args");
    if (arguments != event.end() && arguments->is_object()) add_operands(*arguments, op);
    ops_.push_back(std::move(op));
  }

  static void add_operands(const ChromeJson& arguments, Span& op) {
    const auto dims = arguments.find("Input Dims"), types = arguments.find("Input type");
    if (dims == arguments.end() || types == arguments.end() || !dims->is_array() || !types->is_array()) return;
    for (size_t i = 0; i < std::min(dims->size(), types->size()); ++i) {
      const ChromeJson& type = (*types)[i];
      const char* dtype = type.is_string() ? short_type(type.get<std::string>()) : nullptr;
      if (dtype == nullptr || !(*dims)[i].is_array()) continue;  // a number, a flag
      if (std::string_view(dtype) == "TensorList") {
        for (const ChromeJson& part : (*dims)[i]) {
          if (const auto sizes = sizes_in(part)) op.shapes.push_back(*sizes);
        }
      } else if (const auto sizes = sizes_in((*dims)[i])) {
        op.shapes.push_back(*sizes);
      }
      op.dtypes.emplace_back(dtype);
    }
  }

  void add_call(const ChromeJson& event) {
    const auto arguments = event.find("args");
    if (arguments == event.end() || !arguments->is_object() || !arguments->contains("correlation")) return;
    calls_[static_cast<int64_t>(number_at(*arguments, "correlation"))] = {
        thread_of(event), number_at(event, "ts"), event.value("name", "").find("GraphLaunch") != std::string::npos};
  }

  void add_kernel(const ChromeJson& event, const std::string& category) {
    DeviceEvent out;
    out.begin = number_at(event, "ts");
    out.us = number_at(event, "dur");
    out.name = event.value("name", "").substr(0, longest_name);
    std::replace(out.name.begin(), out.name.end(), ';', ',');
    if (category != "kernel") out.name.insert(0, category + ":");
    const auto arguments = event.find("args");
    if (arguments != event.end() && arguments->is_object() && arguments->contains("correlation")) {
      out.correlation = static_cast<int64_t>(number_at(*arguments, "correlation"));
    }
    kernels_.push_back(std::move(out));
  }

  void add_module(const ChromeJson& event) {
    constexpr std::string_view prefix = "nn.Module: ";
    Span module = span_of(event);
    if (module.name.rfind(prefix, 0) != 0) return;
    module.name.erase(0, prefix.size());
    modules_.push_back(std::move(module));
  }

  void add_step(const ChromeJson& event) {
    const Span step = span_of(event);
    if (step.name.rfind("ProfilerStep", 0) != 0) return;
    ++step_count_;
    if (step.begin < last_step_begin_) return;
    last_step_begin_ = step.begin;
    last_step_end_ = step.end;
    last_step_ = step.name;
  }

  bool in_last_step(const DeviceEvent& kernel) const {
    const auto call = calls_.find(kernel.correlation);
    const double at = call == calls_.end() ? kernel.begin : call->second.at;
    return at >= last_step_begin_ && at <= last_step_end_;
  }

  // Of each kernel: the innermost of the spans on its launching thread that its launch falls into, or -1.
  std::vector<int64_t> innermost(const std::vector<Span>& spans) const {
    struct Launch {
      double at;
      size_t kernel;
    };
    std::map<int64_t, std::vector<Launch>> launches;
    for (size_t i = 0; i < kernels_.size(); ++i) {
      const auto call = calls_.find(kernels_[i].correlation);
      if (call == calls_.end() || call->second.graph) continue;
      launches[call->second.thread].push_back({call->second.at, i});
    }
    std::map<int64_t, std::vector<size_t>> by_thread;
    for (size_t i = 0; i < spans.size(); ++i) by_thread[spans[i].thread].push_back(i);
    std::vector<int64_t> out(kernels_.size(), -1);
    for (auto& [thread, list] : launches) {
      std::vector<size_t>& own = by_thread[thread];
      std::stable_sort(list.begin(), list.end(), [](const Launch& a, const Launch& b) { return a.at < b.at; });
      std::stable_sort(own.begin(), own.end(), [&](size_t a, size_t b) {
        return spans[a].begin != spans[b].begin ? spans[a].begin < spans[b].begin : spans[a].end > spans[b].end;
      });
      std::vector<size_t> open;
      size_t next = 0;
      for (const Launch& launch : list) {
        while (next < own.size() && spans[own[next]].begin <= launch.at) {
          while (!open.empty() && spans[open.back()].end < spans[own[next]].begin) open.pop_back();
          open.push_back(own[next++]);
        }
        while (!open.empty() && spans[open.back()].end < launch.at) open.pop_back();
        if (!open.empty()) out[launch.kernel] = static_cast<int64_t>(open.back());
      }
    }
    return out;
  }

  MeasuredLaunch launch_of(int64_t op, int64_t module, const DeviceEvent& kernel) const {
    MeasuredLaunch out;
    if (module >= 0) out.module = modules_[static_cast<size_t>(module)].name;
    if (op < 0) {
      out.op = family_of(kernel.name);
      return out;
    }
    const Span& span = ops_[static_cast<size_t>(op)];
    out.op = span.name;
    out.shapes = span.shapes;
    out.dtypes = span.dtypes;
    return out;
  }

  std::vector<Span> ops_, modules_;
  std::map<int64_t, RuntimeCall> calls_;
  std::vector<DeviceEvent> kernels_;
  double last_step_begin_ = 0, last_step_end_ = 0;
  int64_t step_count_ = 0;
  std::string last_step_;
};

}  // namespace

Profile read_chrome_trace(const std::string& path, const std::string& text) {
  Profile out;
  out.path = path;
  out.source = "torch.profiler";
  ChromeTrace trace;
  bool events = false;
  // Events are taken as they are read and dropped: traces are large.
  const auto take = [&](int depth, ChromeJson::parse_event_t event, ChromeJson& value) {
    if (event == ChromeJson::parse_event_t::key && depth == 1 && value == "traceEvents") events = true;
    if (event != ChromeJson::parse_event_t::object_end || depth > 2 || !value.is_object() || !value.contains("ph")) {
      return true;
    }
    events = true;
    trace.add(value);
    return false;
  };
  try {
    const ChromeJson rest = ChromeJson::parse(text, take);
    const auto devices = rest.is_object() ? rest.find("deviceProperties") : rest.end();
    if (rest.is_object() && devices != rest.end() && devices->is_array() && !devices->empty()) {
      out.device_name = devices->front().value("name", "");
    }
  } catch (const ChromeJson::exception& broken) {
    throw Error(fmt::format("{}: not a profile: broken JSON", path), {}, {broken.what()});
  }
  if (!events) throw Error(fmt::format("{}: not a profile: JSON without 'traceEvents'", path));
  if (trace.empty()) {
    throw Error(fmt::format("{}: a trace of torch.profiler without kernels of a device", path), {},
                {"profile with activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]"});
  }
  trace.fill(out);
  return out;
}

}  // namespace modelmeter
