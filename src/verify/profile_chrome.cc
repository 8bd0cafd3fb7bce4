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
  int64_t thread = 0, external = -1;
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
  int64_t correlation = -1, external = -1, device = 0;
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

// A thread of one of the processes that a trace may have.
int64_t thread_of(const ChromeJson& event) {
  int64_t out = 0;
  for (const char* key : {"pid", "tid"}) {
    const auto found = event.find(key);
    if (found == event.end()) continue;
    constexpr int64_t odd = 1000003;
    const uint64_t part = found->is_number_integer() ? static_cast<uint64_t>(found->get<int64_t>())
                                                     : std::hash<std::string>()(found->dump());
    out = static_cast<int64_t>(static_cast<uint64_t>(out) * static_cast<uint64_t>(odd) + part);
  }
  return out;
}

int64_t integer_in(const ChromeJson& event, std::initializer_list<const char*> keys) {
  const auto arguments = event.find("args");
  if (arguments == event.end() || !arguments->is_object()) return -1;
  for (const char* key : keys) {
    const auto found = arguments->find(key);
    if (found != arguments->end() && found->is_number_integer()) return found->get<int64_t>();
  }
  return -1;
}

// PyTorch 1.8 calls categories otherwise.
std::string category_of(const ChromeJson& event) {
  static const std::map<std::string, std::string> older = {{"Operator", "cpu_op"},
                                                           {"Kernel", "kernel"},
                                                           {"Memcpy", "gpu_memcpy"},
                                                           {"Memset", "gpu_memset"},
                                                           {"Runtime", "cuda_runtime"}};
  const auto found = event.find("cat");
  if (found == event.end() || !found->is_string()) return "";
  const auto name = older.find(found->get<std::string>());
  return name == older.end() ? found->get<std::string>() : name->second;
}

std::string name_of(const ChromeJson& event) {
  const auto found = event.find("name");
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
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
    const std::string category = category_of(event);
    if (category == "cpu_op") return add_op(event);
    if (category == "cuda_runtime" || category == "cuda_driver" || category == "hip_runtime") return add_call(event);
    if (category == "kernel" || category == "gpu_memcpy" || category == "gpu_memset")
      return add_kernel(event, category);
    if (category == "python_function") return add_module(event);
    if (category == "user_annotation") add_step(event);
  }

  bool empty() const { return kernels_.empty(); }

  // Of several devices the one with most kernels: its number.
  int64_t keep_one_device(Profile& profile) {
    std::map<int64_t, size_t> counts;
    for (const DeviceEvent& kernel : kernels_) ++counts[kernel.device];
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    const int64_t device = most->first;
    if (counts.size() == 1) return device;
    profile.notes.push_back(fmt::format("of {} devices, device {}: it has {} of the {} kernels", counts.size(), device,
                                        most->second, kernels_.size()));
    kernels_.erase(std::remove_if(kernels_.begin(), kernels_.end(),
                                  [&](const DeviceEvent& kernel) { return kernel.device != device; }),
                   kernels_.end());
    return device;
  }

  void fill(Profile& profile) {
    std::stable_sort(kernels_.begin(), kernels_.end(),
                     [](const DeviceEvent& a, const DeviceEvent& b) { return a.begin < b.begin; });
    const std::vector<int64_t> ops = joined_by_id(innermost(ops_)), modules = innermost(modules_);
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
    out.external = integer_in(event, {"External id", "external id"});
    out.name = name_of(event);
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
        thread_of(event), number_at(event, "ts"), name_of(event).find("GraphLaunch") != std::string::npos};
  }

  void add_kernel(const ChromeJson& event, const std::string& category) {
    DeviceEvent out;
    out.begin = number_at(event, "ts");
    out.us = number_at(event, "dur");
    out.name = name_of(event).substr(0, longest_name);
    std::replace(out.name.begin(), out.name.end(), ';', ',');
    if (category != "kernel") out.name.insert(0, category + ":");
    out.correlation = integer_in(event, {"correlation"});
    out.external = integer_in(event, {"External id", "external id"});
    out.device = std::max<int64_t>(0, integer_in(event, {"device"}));
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

  // Traces without the calls of the runtime name the op that launched a kernel.
  std::vector<int64_t> joined_by_id(std::vector<int64_t> found) const {
    std::map<int64_t, int64_t> ids;
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (ops_[i].external >= 0) ids[ops_[i].external] = static_cast<int64_t>(i);
    }
    for (size_t i = 0; i < kernels_.size(); ++i) {
      if (found[i] >= 0 || kernels_[i].correlation >= 0) continue;
      const auto op = ids.find(kernels_[i].external);
      if (op != ids.end()) found[i] = op->second;
    }
    return found;
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

// An event whose text is no valid JSON: with infinities as nothing, backslashes and line breaks as such.
ChromeJson repaired_event(const std::string& text) {
  ChromeJson out = ChromeJson::parse(text, nullptr, false);
  if (out.is_object()) return out;
  std::string repaired;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escapes =
        c == '\\' && i + 1 < text.size() && std::string("\"\\/bfnrtu").find(text[i + 1]) != std::string::npos;
    if (c == '\\' && !escapes) {
      repaired += "\\\\";
    } else if (escapes) {
      repaired += c;
      repaired += text[++i];
    } else {
      repaired += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  for (const std::string none : {": inf", ": -inf", ": nan", ": -nan", ": Infinity", ": -Infinity", ": NaN"}) {
    for (size_t at = 0; (at = repaired.find(none, at)) != std::string::npos;)
      repaired.replace(at, none.size(), ": null");
  }
  return ChromeJson::parse(repaired, nullptr, false);
}

void name_devices(const ChromeJson& rest, Profile& out) {
  const auto devices = rest.is_object() ? rest.find("deviceProperties") : rest.end();
  if (!rest.is_object() || devices == rest.end() || !devices->is_array()) return;
  for (const ChromeJson& device : *devices) {
    const auto id = device.is_object() ? device.find("id") : device.end();
    if (!device.is_object()) continue;
    const bool numbered = id != device.end() && id->is_number_integer();
    out.device_names[numbered ? id->get<int64_t>() : 0] = name_of(device);
  }
  if (!out.device_names.empty()) out.device_name = out.device_names.begin()->second;
}

// Events of a file that is no valid JSON, which PyTorch's own writer makes of infinities (pytorch/kineto issue 105),
// backslashes, quotes and line breaks in names of Python functions (pytorch issues 98432, 113001, 146900): one by one,
// by its lines, and without those that cannot be repaired. Nothing where it was not written so. Error for a file that
// ends amidst them.
bool read_by_lines(const std::string& path, const std::string& text, Profile& out, ChromeTrace& trace) {
  size_t events = 0, unreadable = 0, start = std::string::npos;
  int depth = 0;
  bool ended = false;
  for (size_t at = text.find("\"traceEvents\""); at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size()), begin = text.find_first_not_of(" \t\r", at);
    const std::string line = begin < end ? text.substr(begin, text.find_last_not_of(" \t\r\n", end) + 1 - begin) : "";
    if (start == std::string::npos) {
      if (line == "{") start = begin, depth = 1;
      ended |= events > 0 && line.rfind(']', 0) == 0;
    } else {
      depth += !line.empty() && line.back() == '{' ? 1 : 0;
      depth -= line.rfind('}', 0) == 0 ? 1 : 0;
      if (depth == 0) {
        const ChromeJson event = repaired_event(text.substr(start, begin + 1 - start));
        if (event.is_object()) {
          trace.add(event);
        } else {
          ++unreadable;
        }
        ++events;
        start = std::string::npos;
      }
    }
    at = end + 1;
  }
  if (events == 0) return false;
  if (!ended) throw Error(fmt::format("{}: not a profile: it is cut off after {} events", path, events));
  if (unreadable > 0) out.notes.push_back(fmt::format("{} of {} events are no valid JSON", unreadable, events));
  const size_t devices = text.find("\"deviceProperties\"");
  const size_t open = text.find('[', devices), close = text.find(']', devices);
  if (devices != std::string::npos && close != std::string::npos && open < close) {
    name_devices({{"deviceProperties", ChromeJson::parse(text.substr(open, close + 1 - open), nullptr, false)}}, out);
  }
  return true;
}

// Whether there are events. Those are taken as they are read and dropped: traces are large.
bool read_trace_text(const std::string& path, const std::string& text, Profile& out, ChromeTrace& trace) {
  bool events = false;
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
    name_devices(ChromeJson::parse(text, take), out);
    return events;
  } catch (const ChromeJson::exception& broken) {
    trace = {};
    if (read_by_lines(path, text, out, trace)) return true;
    throw Error(fmt::format("{}: not a profile: broken JSON", path), {}, {broken.what()});
  }
}

}  // namespace

Profile read_chrome_trace(const std::string& path, const std::string& text) {
  Profile out;
  out.path = path;
  out.source = "torch.profiler";
  ChromeTrace trace;
  const bool events = read_trace_text(path, text, out, trace);
  if (!events) throw Error(fmt::format("{}: not a profile: JSON without 'traceEvents'", path));
  if (trace.empty()) {
    throw Error(fmt::format("{}: a trace of torch.profiler without kernels of a device", path), {},
                {"profile with activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]"});
  }
  const int64_t device = trace.keep_one_device(out);
  if (const auto named = out.device_names.find(device); named != out.device_names.end()) {
    out.device_name = named->second;
  }
  trace.fill(out);
  return out;
}

}  // namespace modelmeter
