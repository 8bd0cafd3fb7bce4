#include "report/module_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

using Node = ModuleTreeNode;

constexpr char parameters_overflow[] = "the number of parameters";

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string looked_up(const std::vector<std::pair<std::string, std::string>>& table, const std::string& key,
                      const std::string& otherwise) {
  for (const auto& [from, to] : table) {
    if (from == key) return to;
  }
  return otherwise;
}

class Builder {
 public:
  Builder(const AnalyticModel& model, const Trace& trace, const Rollup& rollup, const ModuleTreeOptions& options)
      : trace_(trace), rollup_(rollup), options_(options), names_(model.names()), categories_(model.categories()) {
    root_ = std::make_unique<Node>();
    root_->id = root_->name = root_->raw_name = "pipeline";
    root_->klass = model.class_name();
    root_->stage = "pipeline";
    root_->calls = 1;
    for (const auto& stage : model.stages()) stages_[stage->id()] = stage.get();
    walk(0, *root_, 1);
    finish(*root_);
  }

  std::unique_ptr<Node> take() { return std::move(root_); }

 private:
  // --- scopes to nodes ---

  std::vector<int32_t> children_of(int32_t scope) const {
    std::vector<int32_t> out;
    for (int32_t child = trace_.scopes[static_cast<size_t>(scope)].first_child; child >= 0;
         child = trace_.scopes[static_cast<size_t>(child)].next_sibling) {
      out.push_back(child);
    }
    std::reverse(out.begin(), out.end());  // newest first in the trace
    return out;
  }

  // Adds the scope's own kernels, and its children as nodes. Costs are divided by `share`: the number of nodes that an
  // expanded repetition is spread over.
  void walk(int32_t scope, Node& node, int64_t share) {
    const Scope& here = trace_.scopes[static_cast<size_t>(scope)];
    const ScopeCost& cost = rollup_.scopes[static_cast<size_t>(scope)];
    add(own_[&node], cost.own, share);
    node.peak_live = std::max(node.peak_live, cost.peak_live);
    for (int32_t child : children_of(scope)) {
      const Scope& s = trace_.scopes[static_cast<size_t>(child)];
      const int64_t calls = s.calls * rollup_.executions[static_cast<size_t>(child)] / share;
      if (s.kind == ScopeKind::repetition) {
        walk(child, node, share);
      } else if (s.kind == ScopeKind::function) {
        Node& made = function_node(node, std::string(s.name));
        made.calls += calls;
        walk(child, made, share);
      } else if (s.index >= 0 && options_.expand_lists && here.kind == ScopeKind::repetition) {
        for (int64_t i = 0; i < here.count; ++i) {
          Node& made = module_node(node, s, s.index + i);
          made.calls += calls / here.count;
          walk(child, made, share * here.count);
        }
      } else {
        Node& made = module_node(node, s, s.index);
        made.calls += calls;
        walk(child, made, share);
      }
    }
  }

  static void add(Cost& sum, const Cost& cost, int64_t share) {
    if (share == 1) return sum.add(cost);
    Cost part = cost;
    for (int64_t* figure :
         {&part.kernels, &part.flops_tensor, &part.flops_vector, &part.bytes_read, &part.bytes_written,
          &part.flops_unknown}) {
      *figure /= share;
    }
    sum.add(part);
  }

  Node& function_node(Node& parent, const std::string& name) {
    const auto stage = stages_.find(name);
    if (stage == stages_.end()) return child(parent, name, name);
    for (const auto& existing : parent.children) {
      if (existing->id == name) return *existing;
    }
    Node& made = new_child(parent, name);
    made.id = name;
    made.stage = stage->second->stage();
    return made;
  }

  Node& module_node(Node& parent, const Scope& scope, int64_t index) {
    const auto* layer = static_cast<const BaseLayer*>(scope.module);
    const std::string raw(scope.name);
    if (raw.empty()) {  // the root module of a stage is the stage's node
      parent.klass = scope.klass;
      parent.layer = layer;
      return parent;
    }
    const BaseLayer::Child* list = scope.index >= 0 && !options_.expand_lists ? child_of(parent, layer) : nullptr;
    std::string name = looked_up(names_.modules, raw, raw);
    if (scope.index >= 0) name += fmt::format("_{:02}", list != nullptr ? list->first : index);
    Node* at = &parent;
    for (size_t start = 0, slash; (slash = name.find('/', start)) != std::string::npos; start = slash + 1) {
      at = &child(*at, name.substr(start, slash - start), raw);
      at->calls = parent.calls;
    }
    Node& made = child(*at, name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1), raw);
    made.klass = scope.klass;
    made.layer = layer;
    if (list != nullptr) made.list_count = list->count;
    made.copies = parent.copies * std::max<int64_t>(made.list_count, 1);
    return made;
  }

  // How the parent's layer registered this one; null where it did not.
  static const BaseLayer::Child* child_of(const Node& parent, const BaseLayer* layer) {
    if (parent.layer == nullptr) return nullptr;
    for (const BaseLayer::Child& c : parent.layer->children()) {
      if (c.layer == layer) return &c;
    }
    return nullptr;
  }

  Node& child(Node& parent, const std::string& name, const std::string& raw) {
    for (const auto& existing : parent.children) {
      if (existing->name == name) return *existing;
    }
    Node& made = new_child(parent, name);
    made.raw_name = raw;
    return made;
  }

  static Node& new_child(Node& parent, const std::string& name) {
    Node& made = *parent.children.emplace_back(std::make_unique<Node>());
    made.parent = &parent;
    made.name = made.raw_name = name;
    made.id = parent.id + "/" + name;
    made.stage = parent.stage;
    made.copies = parent.copies;
    return made;
  }

  // --- leaves, weights, categories, sums ---

  void finish(Node& node) {
    add_uncalled(node);
    const auto [parameters, bytes] = own_parameters(node);
    const Cost own = own_[&node];
    if (!node.leaf() && (own.kernels > 0 || parameters > 0)) {
      Node& leaf = child(node, looked_up(names_.own, node.klass, "other"), "");
      leaf.raw_name = leaf.name;
      leaf.cost = own;
      leaf.calls = node.calls;
      leaf.peak_live = node.peak_live;
      leaf.parameters = parameters;
      leaf.weight_bytes = bytes;
    } else {
      node.cost = own;
      node.parameters = parameters;
      node.weight_bytes = bytes;
    }
    for (const auto& c : node.children) {
      if (own_.count(c.get()) > 0 || c->layer != nullptr || !c->leaf()) finish(*c);
      if (c->leaf()) {
        c->category = category_of(*c);
        c->by_category[c->category] = c->cost;
      }
      node.cost.add(c->cost);
      node.parameters = checked_add(node.parameters, c->parameters, parameters_overflow);
      node.weight_bytes = checked_add(node.weight_bytes, c->weight_bytes, parameters_overflow);
      node.peak_live = std::max(node.peak_live, c->peak_live);
      for (const auto& [category, cost] : c->by_category) node.by_category[category].add(cost);
    }
  }

  // Layers that hold parameters but do not run: resident all the same.
  void add_uncalled(Node& node) {
    if (node.layer == nullptr) return;
    for (const BaseLayer::Child& c : node.layer->children()) {
      if (c.layer->parameter_count() == 0) continue;
      if (c.list && options_.expand_lists) {
        for (int64_t i = c.first; i < c.first + c.count; ++i) add_uncalled(node, c, fmt::format("_{:02}", i));
      } else if (!ran(node, c.layer)) {
        Node& made = add_uncalled(node, c, c.list ? fmt::format("_{:02}", c.first) : "");
        if (c.list) made.list_count = c.count;
        made.copies = node.copies * c.count;
      }
    }
  }

  Node& add_uncalled(Node& node, const BaseLayer::Child& c, const std::string& number) {
    Node& made = child(node, looked_up(names_.modules, c.name, c.name) + number, c.name);
    made.klass = c.layer->class_name();
    made.layer = c.layer;
    return made;
  }

  static bool ran(const Node& node, const BaseLayer* layer) {
    for (const auto& c : node.children) {
      if (c->layer == layer || (c->layer == nullptr && ran(*c, layer))) return true;
    }
    return false;
  }

  static const Node* stage_of(const Node& node) {
    const Node* at = &node;
    while (at->parent != nullptr && at->parent->parent != nullptr) at = at->parent;
    return at;
  }

  // A layer that two stages share counts with the first.
  std::pair<int64_t, int64_t> own_parameters(const Node& node) {
    int64_t count = 0, bytes = 0;
    if (node.layer == nullptr || counted_.try_emplace(node.layer, stage_of(node)).first->second != stage_of(node)) {
      return {0, 0};
    }
    for (const BaseLayer::Parameter& p : node.layer->parameters()) {
      if (!p.persistent) continue;
      count = checked_add(count, p.spec.sizes.numel(), parameters_overflow);
      bytes = checked_add(bytes, p.spec.bytes(), parameters_overflow);
    }
    return {checked_mul(count, node.copies, parameters_overflow), checked_mul(bytes, node.copies, parameters_overflow)};
  }

  std::string category_of(const Node& leaf) const {
    for (const OperatorCategory& category : categories_) {
      const bool matches = category.match.empty() || contains(category.match, leaf.klass) ||
                           contains(category.match, leaf.raw_name);
      if (matches && (category.within.empty() || is_within(leaf, category.within))) return category.id;
    }
    return "other";
  }

  static bool is_within(const Node& leaf, const std::vector<std::string>& names) {
    for (const Node* at = leaf.parent; at != nullptr; at = at->parent) {
      if (contains(names, at->klass) || contains(names, at->raw_name)) return true;
    }
    return false;
  }

  const Trace& trace_;
  const Rollup& rollup_;
  const ModuleTreeOptions& options_;
  const ReportNames names_;
  const std::vector<OperatorCategory> categories_;
  std::map<std::string, const Stage*> stages_;
  std::map<const Node*, Cost> own_;
  std::map<const BaseLayer*, const Node*> counted_;  // by the stage that holds it
  std::unique_ptr<Node> root_;
};

}  // namespace

std::unique_ptr<ModuleTreeNode> module_tree(const AnalyticModel& model, const Trace& trace, const Rollup& rollup,
                                            const ModuleTreeOptions& options) {
  return Builder(model, trace, rollup, options).take();
}

}  // namespace modelmeter
