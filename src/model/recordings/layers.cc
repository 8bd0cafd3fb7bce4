#include "model/recordings/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace modelmeter::recordings {
namespace {

constexpr size_t most_depth = 100;

struct Held {
  std::string name;
  TensorSpec spec;
  bool buffer;
};

bool is_number(const std::string& name) {
  return !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
}

int64_t number_of(const std::string& name) {
  int64_t out = 0;
  std::from_chars(name.data(), name.data() + name.size(), out);
  return out;
}

}  // namespace

struct RecordedLayers::Node {
  std::string name, klass;
  int64_t calls = -1;
  std::vector<Held> held;
  std::vector<std::unique_ptr<Node>> children;

  Node* find(const std::string& child) const {
    for (const auto& c : children) {
      if (c->name == child) return c.get();
    }
    return nullptr;
  }
  Node& get(const std::string& child) {
    if (Node* known = find(child)) return *known;
    Node& made = *children.emplace_back(std::make_unique<Node>());
    made.name = child;
    return made;
  }
  // A list that its parent indexes: never called, its members numbered.
  bool is_list() const {
    const bool numbered =
        std::all_of(children.begin(), children.end(), [](const auto& c) { return is_number(c->name); });
    const bool container = klass == "ModuleList" || (klass == "Sequential" && calls == 0) || klass.empty();
    return !children.empty() && numbered && calls <= 0 && held.empty() && container;
  }
  // What layers that are equal have in common, the name apart.
  std::string text() const {
    std::string out = klass + "(";
    for (const Held& h : held) {
      out += fmt::format("{}:{}{}{} ", h.name, torch_name(h.spec.dtype), h.spec.sizes.to_string(), h.buffer ? "b" : "");
    }
    for (const auto& c : children) out += c->name + "=" + c->text();
    return out + ")";
  }
};

RecordedLayers::~RecordedLayers() = default;

RecordedLayers::RecordedLayers(const Recording& recording) : tree_(std::make_unique<Node>()) {
  add_rows(recording);
  add_parameters(recording.parameters, false);
  add_parameters(recording.buffers, true);
  for (const auto& [name, source] : recording.same_as) {
    Node &from = node_at(source), &to = node_at(name);
    if (to.klass.empty() && &from != &to) copy(from, to);
  }
  for (const RecordedOp& op : recording.ops) node_at(op.scope);
  if (tree_->klass.empty()) tree_->klass = recording.implementation;
  root_ = &layers_.emplace_back(tree_->klass.empty() ? "Module" : tree_->klass);
  steps_[""] = {};
  calls_[""] = tree_->calls;
  build(*tree_, *root_, "", {});
}

int64_t RecordedLayers::calls_of(const std::string& module) const {
  const auto found = calls_.find(module);
  return found == calls_.end() ? -1 : found->second;
}

void RecordedLayers::add_rows(const Recording& recording) {
  for (const RecordedModule& m : recording.modules) {
    Node& node = node_at(m.name);
    node.klass = m.klass;
    node.calls = m.calls;
  }
}

RecordedLayers::Node& RecordedLayers::node_at(const std::string& path) {
  Node* at = tree_.get();
  size_t depth = 0;
  for (size_t start = 0; start < path.size();) {
    size_t end = path.find('.', start);
    if (end == std::string::npos) end = path.size();
    if (++depth > most_depth) throw Error(fmt::format("a module of the recording is more than {} deep", most_depth));
    at = &at->get(path.substr(start, end - start));
    start = end + 1;
  }
  return *at;
}

void RecordedLayers::add_parameters(const std::vector<RecordedParameter>& parameters, bool buffers) {
  for (const RecordedParameter& p : parameters) {
    const size_t dot = p.name.rfind('.');
    Node& owner = dot == std::string::npos ? *tree_ : node_at(p.name.substr(0, dot));
    owner.held.push_back({dot == std::string::npos ? p.name : p.name.substr(dot + 1),
                          {p.tensor.sizes, parse_dtype(p.tensor.dtype)},
                          buffers});
  }
}

void RecordedLayers::copy(const Node& from, Node& to) {
  to.klass = from.klass;
  to.calls = from.calls;
  to.held = from.held;
  for (const auto& child : from.children) copy(*child, to.get(child->name));
}

void RecordedLayers::build(const Node& node, RecordedLayer& layer, const std::string& path,
                           const std::vector<ModuleStep>& steps) {
  for (const Held& h : node.held) {
    h.buffer ? layer.register_buffer(h.name, h.spec.sizes, h.spec.dtype)
             : layer.register_parameter(h.name, h.spec.sizes, h.spec.dtype);
  }
  for (const auto& child : node.children) {
    const std::string at = path.empty() ? child->name : path + "." + child->name;
    calls_[at] = child->calls;
    if (child->is_list()) {
      build_list(*child, layer, at, steps);
      continue;
    }
    RecordedLayer& made = layers_.emplace_back(child->klass.empty() ? "Module" : child->klass);
    std::vector<ModuleStep>& own = steps_[at] = steps;
    own.push_back({&made, -1});
    build(*child, made, at, std::vector<ModuleStep>(own));
    layer.register_module(child->name, made);
  }
}

// Runs of equal members are one layer so many times.
void RecordedLayers::build_list(const Node& list, RecordedLayer& parent, const std::string& path,
                                const std::vector<ModuleStep>& steps) {
  std::vector<const Node*> members;
  for (const auto& c : list.children) members.push_back(c.get());
  std::sort(members.begin(), members.end(),
            [](const Node* a, const Node* b) { return number_of(a->name) < number_of(b->name); });
  steps_[path] = steps;
  for (size_t i = 0, end = 0; i < members.size(); i = end) {
    const std::string text = members[i]->text();
    const int64_t first = number_of(members[i]->name);
    for (end = i + 1; end < members.size(); ++end) {
      const bool next = number_of(members[end]->name) == first + static_cast<int64_t>(end - i);
      if (!next || members[end]->text() != text) break;
    }
    RecordedLayer& made = layers_.emplace_back(members[i]->klass.empty() ? "Module" : members[i]->klass);
    for (size_t k = i; k < end; ++k) {
      const std::string at = path + "." + members[k]->name;
      calls_[at] = members[k]->calls;
      std::vector<ModuleStep>& own = steps_[at] = steps;
      own.push_back({&made, number_of(members[k]->name)});
    }
    const std::string at = path + "." + members[i]->name;
    build(*members[i], made, at, std::vector<ModuleStep>(steps_[at]));
    for (size_t k = i + 1; k < end; ++k) follow(*members[k], path + "." + members[k]->name, at);
    parent.register_module_list(list.name, made, static_cast<int64_t>(end - i), first,
                                list.klass == "Sequential" ? "Sequential" : "ModuleList");
  }
}

// Modules below a member of a list that is like the one at `like`: the same layers, below it.
void RecordedLayers::follow(const Node& node, const std::string& path, const std::string& like) {
  const size_t depth = steps_.at(path).size();
  for (const auto& child : node.children) {
    const std::string at = path + "." + child->name, other = like + "." + child->name;
    calls_[at] = child->calls;
    std::vector<ModuleStep> steps = steps_.at(path);
    const std::vector<ModuleStep>& theirs = steps_.at(other);
    steps.insert(steps.end(), theirs.begin() + static_cast<std::ptrdiff_t>(std::min(depth, theirs.size())),
                 theirs.end());
    steps_[at] = std::move(steps);
    follow(*child, at, other);
  }
}

}  // namespace modelmeter::recordings
