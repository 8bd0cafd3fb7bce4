#include "report/pseudo_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace modelmeter {
namespace {

class Writer {
 public:
  Writer(const Trace& trace, int32_t scope) : trace_(trace) { write(scope, first_op(scope), trace.ops.size(), ""); }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  const Scope& scope_at(int32_t scope) const { return trace_.scopes[static_cast<size_t>(scope)]; }

  bool inside(int32_t scope, int32_t outer) const {
    while (scope > outer) scope = scope_at(scope).parent;
    return scope == outer;
  }

  size_t first_op(int32_t scope) const {
    size_t i = 0;
    while (i < trace_.ops.size() && !inside(trace_.ops[i].scope, scope)) ++i;
    return i;
  }

  // The child of `scope` that holds `inner`; `scope` itself where that is it.
  int32_t child_of(int32_t scope, int32_t inner) const {
    while (inner != scope && scope_at(inner).parent != scope) inner = scope_at(inner).parent;
    return inner;
  }

  void write(int32_t scope, size_t first, size_t last, const std::string& indent) {
    for (size_t i = first; i < last && inside(trace_.ops[i].scope, scope);) {
      const int32_t child = child_of(scope, trace_.ops[i].scope);
      if (child == scope) {
        kernel(trace_.ops[i++], indent);
        continue;
      }
      size_t end = i;
      while (end < last && inside(trace_.ops[end].scope, child)) ++end;
      if (scope_at(child).kind != ScopeKind::repetition) {
        call(child, i, end, indent);
      } else if (scope_at(child).count == 1) {
        write(child, i, end, indent);
      } else {
        lines_.push_back(fmt::format("{}for _ in range({}):", indent, scope_at(child).count));
        write(child, i, end, indent + "    ");
      }
      i = end;
    }
  }

  void kernel(const Op& op, const std::string& indent) {
    std::string inputs, outputs, shapes;
    std::set<const Storage*> named;
    for (int i = 0; i < op.inputs; ++i) {
      const TensorMeta& input = trace_.input(op, i);
      inputs += (inputs.empty() ? "" : ", ") + name_of(input);
    }
    for (int i = 0; i < op.outputs && !op.in_place; ++i) append(outputs, shapes, trace_.output(op, i), named);
    if (op.in_place) shapes = described(trace_.input(op, 0));
    const std::string_view kernel = info(op.kernel).name;
    lines_.push_back(
        fmt::format("{}{}{}{}({})  # {}", indent, outputs, outputs.empty() ? "" : " = ",
                    kernel.find('.') == std::string_view::npos ? fmt::format("torch.{}", kernel) : std::string(kernel),
                    inputs, shapes));
  }

  // A call of a child: what comes in from outside, and what it leaves alive.
  void call(int32_t child, size_t first, size_t end, const std::string& indent) {
    const Scope& s = scope_at(child);
    std::string inputs, outputs, shapes;
    std::set<const Storage*> named, made;
    for (size_t i = first; i < end; ++i) {
      const Op& op = trace_.ops[i];
      for (int k = 0; k < op.inputs; ++k) {
        const Storage* storage = trace_.input(op, k).storage;
        const bool outside = names_.count(storage) > 0 ||
                             (storage->place == Place::device && storage->born < static_cast<int32_t>(first));
        if (outside && named.size() < 4 && named.insert(storage).second) {
          inputs += (inputs.empty() ? "" : ", ") + name_of(trace_.input(op, k));
        }
      }
    }
    for (size_t i = first; i < end; ++i) {
      const Op& op = trace_.ops[i];
      for (int k = 0; k < op.outputs && !op.in_place; ++k) {
        const TensorMeta& output = trace_.output(op, k);
        const int32_t died = output.storage->died;
        if ((died < 0 || died > static_cast<int32_t>(end)) && made.size() < 3) append(outputs, shapes, output, made);
      }
    }
    const std::string name = s.kind == ScopeKind::function
                                 ? std::string(s.name)
                                 : fmt::format("self.{}{}", s.name, s.index < 0 ? "" : fmt::format("[{}]", s.index));
    const std::string klass = s.klass.empty() ? "" : std::string(s.klass) + (shapes.empty() ? "" : ": ");
    lines_.push_back(fmt::format("{}{}{}{}({})  # {}{}", indent, outputs, outputs.empty() ? "" : " = ", name, inputs,
                                 klass, shapes));
  }

  void append(std::string& outputs, std::string& shapes, const TensorMeta& output, std::set<const Storage*>& made) {
    if (!made.insert(output.storage).second) return;
    outputs += (outputs.empty() ? "" : ", ") + name_of(output);
    shapes += (shapes.empty() ? "" : ", ") + described(output);
  }

  static std::string described(const TensorMeta& meta) {
    return fmt::format("{} {}", meta.sizes.to_string(), short_name(meta.dtype));
  }

  std::string name_of(const TensorMeta& meta) {
    const Storage* storage = meta.storage;
    if (storage->place == Place::given) return "given" + meta.sizes.to_string();  // a parameter, buffer or input
    const auto [found, fresh] = names_.try_emplace(storage, "");
    if (fresh) found->second = fmt::format("{}{}", storage->place == Place::host ? "host" : "t", names_.size());
    return found->second;
  }

  const Trace& trace_;
  std::map<const Storage*, std::string> names_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> pseudo_code(const Trace& trace, int32_t scope, size_t most) {
  std::vector<std::string> lines = Writer(trace, scope).take();
  if (lines.size() > most) {
    const size_t left_out = lines.size() - most;
    lines.resize(most);
    lines.push_back(fmt::format("# ... {} more", left_out));
  }
  return lines;
}

}  // namespace modelmeter
