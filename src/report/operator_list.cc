#include "report/operator_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/checked.h"
#include "base/format.h"
#include "base/json.h"
#include "report/builder.h"
#include "report/module_tree.h"
#include "report/qualified_name.h"
#include "report/table.h"

namespace modelmeter {
namespace {

constexpr char overflow[] = "the number of layers";

// Counts the classes below a layer, each as often as its holders are there.
class Census {
 public:
  explicit Census(const ReportNames& names) : names_(names) {}

  struct Entry {
    std::string klass;
    int64_t count = 0, parameters = 0;
    std::set<std::string> below;  // qualified
  };

  // Returns the qualified classes of the layer and of all below.
  std::set<std::string> add(const BaseLayer& layer, int64_t times, const std::string& stage_id) {
    std::set<std::string> below;
    std::map<std::string, List> lists;
    for (const BaseLayer::Child& c : layer.children()) {
      const std::set<std::string> classes = add(*c.layer, checked_mul(times, c.count, overflow), stage_id);
      below.insert(classes.begin(), classes.end());
      const size_t dot = c.name.rfind('.');
      if (!c.list && dot == std::string::npos) continue;
      // A list is a module itself, whether it is registered as one or by its members ("net.0").
      List& list = lists[c.list ? c.name : c.name.substr(0, dot)];
      list.klass = c.list_class;
      list.below.insert(classes.begin(), classes.end());
      list.parameters += c.layer->parameter_count() * c.count;
    }
    for (const auto& [name, list] : lists) {
      below.insert(enter(list.klass, times, list.parameters, list.below, stage_id));
    }
    const std::set<std::string> inside = below;
    below.insert(enter(std::string(layer.class_name()), times, layer.parameter_count(), inside, stage_id));
    return below;
  }

  const std::map<std::string, Entry>& entries() const { return entries_; }  // by qualified name

 private:
  struct List {
    std::string klass;
    std::set<std::string> below;
    int64_t parameters = 0;
  };

  std::string enter(const std::string& klass, int64_t times, int64_t parameters, const std::set<std::string>& below,
                    const std::string& stage_id) {
    const std::string name = qualified_class_name(names_, klass, stage_id, below.empty());
    Entry& entry = entries_[name];
    entry.klass = klass;
    entry.count = checked_add(entry.count, times, overflow);
    entry.parameters = checked_add(entry.parameters, checked_mul(parameters, times, overflow), overflow);
    entry.below.insert(below.begin(), below.end());
    entry.below.erase(name);
    return name;
  }

  const ReportNames& names_;
  std::map<std::string, Entry> entries_;
};

std::string stage_of(const AnalyticModel& model, const BaseLayer& root) {
  for (const auto& stage : model.stages()) {
    if (&stage->layer() == &root) return stage->id();
  }
  return "";
}

// The category that takes most of what the leaves of a class cost.
std::map<std::string, std::string> categories_by_class(const ModuleTreeNode& root) {
  std::map<std::string, std::map<std::string, std::pair<Count, Count>>> sums;  // class, category: FLOPs, bytes
  const auto walk = [&](const auto& self, const ModuleTreeNode& node) -> void {
    if (node.leaf() && !node.klass.empty()) {
      auto& [flops, bytes] = sums[node.klass][node.category];
      flops += node.cost.flops_full();
      bytes += node.cost.bytes();
    }
    for (const auto& child : node.children) self(self, *child);
  };
  walk(walk, root);
  std::map<std::string, std::string> out;
  for (const auto& [klass, categories] : sums) {
    out[klass] = std::max_element(categories.begin(), categories.end(), [](const auto& a, const auto& b) {
                   return a.second < b.second;
                 })->first;
  }
  return out;
}

// Of a class that only holds others: by its name, where the model's categories go by names.
std::string category_by_name(const std::vector<OperatorCategory>& categories, std::string klass) {
  std::transform(klass.begin(), klass.end(), klass.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const OperatorCategory& category : categories) {
    for (const std::string& part : category.match) {
      if (category.by_part && klass.find(part) != std::string::npos) return category.id;
    }
  }
  return "other";
}

}  // namespace

TargetOperatorList target_operators(const AnalyticModel& model, const std::string& snapshot_id) {
  const ReportNames names = model.names();
  Census census(names);
  for (const BaseLayer* layer : model.root_layers()) census.add(*layer, 1, stage_of(model, *layer));

  Tracer tracer;
  model.trace(tracer);
  const Rollup rollup = roll_up(tracer.trace());
  const auto tree = module_tree(model, tracer.trace(), rollup, {});
  const std::map<std::string, std::string> categories = categories_by_class(*tree);

  TargetOperatorList out;
  out.snapshot_id = snapshot_id;
  for (const auto& [name, entry] : census.entries()) {  // sorted by name
    OperatorSpec spec;
    spec.class_name = entry.klass;
    spec.class_name_qualified = name;
    spec.is_pytorch_builtin = name.compare(0, 6, "torch.") == 0;
    spec.children_classes.assign(entry.below.begin(), entry.below.end());
    const auto category = categories.find(entry.klass);
    spec.default_category_id =
        category == categories.end() ? category_by_name(model.categories(), entry.klass) : category->second;
    spec.count = entry.count;
    spec.parameters = entry.parameters;
    out.operators.push_back(std::move(spec));
  }
  return out;
}

std::string operators_json(const TargetOperatorList& list) {
  Json operators = Json::array();
  for (const OperatorSpec& o : list.operators) {
    operators.push_back({{"class_name", o.class_name},
                         {"class_name_qualified", o.class_name_qualified},
                         {"is_pytorch_builtin", o.is_pytorch_builtin},
                         {"is_custom", !o.is_pytorch_builtin},
                         {"children_classes", o.children_classes},
                         {"default_category_id", o.default_category_id},
                         {"count", o.count},
                         {"parameters", o.parameters}});
  }
  const Json document = {{"snapshot_id", list.snapshot_id}, {"operators", operators}};
  return dump_json(document, 2) + "\n";
}

std::string operators_markdown(const TargetOperatorList& list) {
  Table table({"Class", "Count", "Parameters", "Category", "Children"},
              {Align::left, Align::right, Align::right, Align::left, Align::left});
  for (const OperatorSpec& o : list.operators) {
    std::string children;
    for (const std::string& child : o.children_classes) {
      children += (children.empty() ? "" : ", ") + child.substr(child.rfind('.') + 1);
    }
    table.add({o.class_name_qualified, grouped(o.count), grouped(o.parameters), o.default_category_id,
               children.empty() ? "-" : children});
  }
  return table.markdown();
}

std::vector<std::pair<std::string, std::string>> operator_files(const AnalyticModel& model,
                                                                const TargetOperatorList& list) {
  Json layers = Json::array();
  for (const OperatorSpec& o : list.operators) {
    layers.push_back({{"class_name", o.class_name},
                      {"class_name_qualified", o.class_name_qualified},
                      {"is_torch_builtin", o.is_pytorch_builtin},
                      {"count", o.count},
                      {"parameters", o.parameters},
                      {"default_category_id", o.default_category_id},
                      {"children", o.children_classes}});
  }
  const Json unique = {{"generated_at", list.snapshot_id},
                       {"total_params", model.parameter_count()},
                       {"num_unique_layers", list.operators.size()},
                       {"layers", layers}};
  Json stages = Json::object();
  for (const auto& stage : model.stages()) {
    stages[stage->id()] = {{"stage_name", stage->id()},
                           {"params", stage->parameter_count()},
                           {"macs", stage->get_forward_cost().cost.flops_tensor / 2}};
  }
  const Json stage_document = {{"generated_at", list.snapshot_id}, {"stages", stages}};
  return {{"torchinfo-unique-layers.json", dump_json(unique, 2) + "\n"},
          {"torchinfo-unique-layers.md", "# Unique layers\n\n" + operators_markdown(list)},
          {"torchinfo-stages.json", dump_json(stage_document, 2) + "\n"}};
}

}  // namespace modelmeter
