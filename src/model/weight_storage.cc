#include "model/weight_storage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "base/error.h"
#include "model/model_files.h"

namespace modelmeter {
namespace {

using config::Kind;
using config::Node;
using config::View;
using FormatKind = WeightFormatKind;

bool contains(const std::vector<FormatKind>& kinds, FormatKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// Of these kinds; of all where none is given.
std::vector<std::string> names_of_formats(const std::vector<FormatKind>& kinds = {}) {
  std::vector<std::string> out;
  for (const WeightFormat& format : weight_formats()) {
    const std::string name(format.name);
    const bool wanted = kinds.empty() || contains(kinds, format.kind);
    if (wanted && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return out;
}

// A module, or one that it is in, has this name; "^name": it is the root's.
bool is_named(const std::string& path, const std::string& name) {
  if (name[0] == '^') return path == name.substr(1);
  return ("." + path + ".").find("." + name + ".") != std::string::npos;
}

bool is_kept(const std::string& path, const std::vector<std::string>& names, bool by_part) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return is_named(path, name) || (by_part && name[0] != '^' && path.find(name) != std::string::npos);
  });
}

void for_each_module(const BaseLayer& layer, const std::string& path,
                     const std::function<void(const BaseLayer&, const std::string&)>& visit) {
  visit(layer, path);
  for (const BaseLayer::Child& child : layer.children()) {
    const std::string number = child.list ? fmt::format(".{}", child.first) : "";
    for_each_module(*child.layer, fmt::format("{}{}{}{}", path, path.empty() ? "" : ".", child.name, number), visit);
  }
}

// "blocks.17.attn1" and "blocks.0.attn1": a list of equal layers is built once.
bool is_alike_but_for_numbers(const std::string& name, const std::string& path) {
  size_t i = 0, k = 0;
  const auto part = [](const std::string& text, size_t& at) {
    const size_t end = std::min(text.find('.', at), text.size());
    std::string out = text.substr(at, end - at);
    at = end + 1;
    return out;
  };
  while (i < name.size() && k < path.size()) {
    const std::string a = part(name, i), b = part(path, k);
    const auto is_number = [](const std::string& s) {
      return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos;
    };
    if (a != b && !(is_number(a) && is_number(b))) return false;
  }
  return i > name.size() && k > path.size();
}

// --- quantization_config ---------------------------------------------------------------------------------------------

struct Quantised {
  const WeightFormat* format = nullptr;
  std::vector<std::string> keep_modules;
};

std::vector<std::string> names_at(const View& view, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (view.has(key)) return view.get<std::vector<std::string>>(key);
  }
  return {};
}

const WeightFormat* of_bitsandbytes(const View& q) {
  const auto flag = [&](const char* key, const char* written) {
    return q.get_or<bool>(key, false) || q.get_or<bool>(written, false);
  };
  const bool eight = flag("load_in_8bit", "_load_in_8bit"), four = flag("load_in_4bit", "_load_in_4bit");
  if (eight == four) throw q.error("bitsandbytes with neither or both of load_in_8bit and load_in_4bit");
  if (eight) return find_weight_format("bnb_int8");
  const std::string type = q.has("bnb_4bit_quant_type") ? q.get_choice("bnb_4bit_quant_type", {"nf4", "fp4"}) : "fp4";
  const bool nested = q.get_or<bool>("bnb_4bit_use_double_quant", false);
  return find_weight_format(fmt::format("bnb_{}{}", type, nested ? "_double" : ""));
}

const WeightFormat* of_groups(const View& q, const char* name, std::initializer_list<const char*> bits,
                              std::initializer_list<const char*> sizes) {
  for (const char* key : bits) {
    if (q.has(key) && q.get<int64_t>(key) != 4) throw q.at(key).error("of 4 bits only are modelled");
  }
  int64_t group = 128;
  const char* at = nullptr;
  for (const char* key : sizes) {
    if (!q.has(key)) continue;
    group = q.get<int64_t>(key);
    at = key;
  }
  const WeightFormat* format = group > 0 ? find_weight_format(name, group) : nullptr;
  if (format == nullptr) throw q.at(at).error("groups of 32, 64, 128 and 256 are modelled");
  return format;
}

// "int8_weight_only", or {"default": {"_type": "Int8WeightOnlyConfig", "_data": {…}}}.
const WeightFormat* of_torchao(const View& q) {
  const View type = q.at("quant_type");
  if (type.node().is(Kind::map)) {
    const View of = type.has("default") ? type.at("default") : type;
    const std::string name = of.get_choice(
        "_type", {"Int8WeightOnlyConfig", "Int4WeightOnlyConfig", "Float8DynamicActivationFloat8WeightConfig"});
    if (name[0] == 'F') return find_weight_format("fp8_e4m3_scaled");
    if (name == "Int8WeightOnlyConfig") return find_weight_format("torchao_int8");
    if (of.has("_data")) return of_groups(of.at("_data"), "torchao_int4", {}, {"group_size"});
    return find_weight_format("torchao_int4");
  }
  const std::string name = choice_or_alias(
      q, "quant_type", {"int8_weight_only", "int4_weight_only", "float8_dynamic_activation_float8_weight"},
      {{"int8wo", "int8_weight_only"},
       {"int4wo", "int4_weight_only"},
       {"float8dq", "float8_dynamic_activation_float8_weight"}});
  if (name[0] == 'f') return find_weight_format("fp8_e4m3_scaled");
  if (name == "int8_weight_only") return find_weight_format("torchao_int8");
  if (q.has("quant_type_kwargs")) return of_groups(q.at("quant_type_kwargs"), "torchao_int4", {}, {"group_size"});
  return find_weight_format("torchao_int4");
}

Quantised read_quantization_config(const View& q) {
  Quantised out;
  out.keep_modules = names_at(q, {"llm_int8_skip_modules", "modules_to_not_convert"});
  std::string method = q.get_or<std::string>("quant_method", "");
  if (method.empty() && (q.has("load_in_4bit") || q.has("load_in_8bit"))) method = "bitsandbytes";
  if (method == "bitsandbytes" || method == "bitsandbytes_4bit" || method == "bitsandbytes_8bit") {
    out.format = of_bitsandbytes(q);
  } else if (method == "gptq") {
    out.format = of_groups(q, "gptq_int4", {"bits"}, {"group_size"});
  } else if (method == "awq") {
    out.format = of_groups(q, "awq_int4", {"bits", "w_bit"}, {"group_size", "q_group_size"});
  } else if (method == "torchao") {
    out.format = of_torchao(q);
  } else if (method == "fp8") {
    const auto block =
        q.has("weight_block_size") ? q.get<std::vector<int64_t>>("weight_block_size") : std::vector<int64_t>{128, 128};
    if (block != std::vector<int64_t>{128, 128})
      throw q.at("weight_block_size").error("blocks of 128 x 128 are modelled");
    out.format = find_weight_format("fp8_e4m3_block");
  } else {
    std::vector<std::string> notes = {"modelled: bitsandbytes, gptq, awq, torchao, fp8",
                                      "without this key the weights are counted in the runtime's dtype"};
    throw q.error(fmt::format("the weights are quantised{}, which is not modelled",
                              method.empty() ? "" : fmt::format(" ({})", method)),
                  std::move(notes));
  }
  return out;
}

// --- a GGUF file -----------------------------------------------------------------------------------------------------

void read_gguf_into(const View& at, const FormatSupport& support, const DataFiles& files, WeightStorage& out) {
  if (support.name_of_gguf == nullptr) {
    throw at.error(
        fmt::format("{} does not read GGUF files", support.component),
        {support.otherwise.empty() ? std::string("transformers unpacks them as it loads them") : support.otherwise});
  }
  const GgufFile file = read_gguf(files.find(at));
  out.gguf_path = file.path;
  for (const GgufTensor& tensor : file.tensors) {
    const WeightFormat* format = nullptr;
    if (tensor.type_name != "F32" && tensor.type_name != "F16" && tensor.type_name != "BF16") {
      format = find_gguf_format(static_cast<GgufType>(tensor.type));
      if (format == nullptr) {
        throw at.error(fmt::format("'{}' is of type {}, which is not modelled", tensor.name, tensor.type_name),
                       {fmt::format("modelled: {}", fmt::join(names_of_formats({FormatKind::gguf}), ", "))});
      }
    }
    out.by_tensor[support.name_of_gguf(tensor.name)] = {format, tensor.sizes, tensor.name};
  }
}

// --- LoRA ------------------------------------------------------------------------------------------------------------

void read_lora(const View& lora, const FormatSupport& support, WeightStorage& out) {
  lora.require_known_keys({"rank", "targets", "merged"});
  if (!lora.has("rank")) {
    for (const char* key : {"targets", "merged"}) {
      if (lora.has(key)) throw lora.at(key).error("lora.rank says how wide it is");
    }
    return;
  }
  const int64_t rank = lora.get_positive<int64_t>("rank", 4096);
  if (!support.lora) throw lora.at("rank").error(fmt::format("{} has no LoRA", support.component));
  if (lora.get_or<bool>("merged", false)) return;  // added to the weights, it leaves nothing behind
  out.lora_rank = rank;
  out.lora_targets = lora.has("targets") ? lora.get<std::vector<std::string>>("targets")
                                         : std::vector<std::string>{"to_k", "to_q", "to_v", "to_out.0"};
}

const WeightFormat* read_format(const View& group, const FormatSupport& support) {
  const std::string name = group.get_choice("weight_format", names_of_formats());
  const View at = group.at("weight_format");
  const WeightFormat* format = find_weight_format(name);
  if (support.kinds.empty()) {
    throw at.error(
        fmt::format("{} is not kept in other formats", support.component),
        support.otherwise.empty() ? std::vector<std::string>() : std::vector<std::string>{support.otherwise});
  }
  if (!contains(support.kinds, format->kind)) {
    throw at.error(fmt::format("{} cannot be kept as {}", support.component, name),
                   {fmt::format("it can be: {}", fmt::join(names_of_formats(support.kinds), ", "))});
  }
  if (!group.has("weight_group_size")) return format;
  const auto size = group.get<int64_t>("weight_group_size");
  const WeightFormat* of_size = size > 0 ? find_weight_format(name, size) : nullptr;
  if (of_size == nullptr) {
    throw group.at("weight_group_size")
        .error(format->kind == FormatKind::packed_int4 || format->kind == FormatKind::torchao_int4
                   ? "groups of 32, 64, 128 and 256 are modelled"
                   : fmt::format("{} has no groups to choose", name));
  }
  return of_size;
}

}  // namespace

std::vector<std::string> with_storage_keys(std::vector<std::string> keys) {
  for (const char* key : {"weight_format", "weight_group_size", "keep_modules", "gguf", "lora"}) keys.emplace_back(key);
  return keys;
}

WeightStorage read_weight_storage(const View& group, const Node* config_json, const FormatSupport& support,
                                  const DataFiles& files) {
  WeightStorage out;
  out.group = group.path();
  if (group.has("weight_format")) {
    if (group.has("gguf")) throw group.at("weight_format").error("the GGUF file says the formats");
    out.format = read_format(group, support);
  } else if (group.has("weight_group_size")) {
    throw group.at("weight_group_size").error("weight_format says whose groups");
  } else if (group.has("gguf")) {
    read_gguf_into(group.at("gguf"), support, files, out);
  } else if (config_json != nullptr) {
    const View config(*config_json);
    if (config.has("quantization_config")) {
      const View at = config.at("quantization_config");
      Quantised quantised = read_quantization_config(at);
      if (!contains(support.kinds, quantised.format->kind)) {
        throw at.error(fmt::format("{} cannot be kept as {}", support.component, quantised.format->name));
      }
      out.format = quantised.format;
      out.kept = std::move(quantised.keep_modules);
    }
  }
  if (group.has("keep_modules")) {
    if (!out.any()) throw group.at("keep_modules").error("weight_format says what the others are kept as");
    out.keep_modules = group.get<std::vector<std::string>>("keep_modules");
    out.kept.insert(out.kept.end(), out.keep_modules.begin(), out.keep_modules.end());
  }
  if (out.format != nullptr) {
    const std::vector<std::string>& own = out.format->is_cast()                  ? support.kept_by_cast
                                          : out.format->kind == FormatKind::gguf ? support.kept_by_gguf
                                                                                 : support.kept;
    out.kept.insert(out.kept.end(), own.begin(), own.end());
  }
  if (const std::optional<View> lora = group.optional_child("lora")) read_lora(*lora, support, out);
  return out;
}

void check_quantization_config(const View& quantization) { read_quantization_config(quantization); }

StoredAs WeightStorage::of(const BaseLayer& layer, const std::string& path) const {
  StoredAs out;
  const bool linear = layer.class_name() == "Linear";
  const bool casts = format != nullptr && format->is_cast();
  if (format != nullptr && (linear || casts) && !is_kept(path, kept, casts)) out.format = format;
  if (linear && !by_tensor.empty() && !is_kept(path, kept, false)) {
    std::map<const WeightFormat*, int64_t> counts;
    for (const auto& [name, tensor] : by_tensor) {
      if (!is_alike_but_for_numbers(name, path + ".weight")) continue;
      if (++counts[tensor.format] > counts[out.format]) out.format = tensor.format;
    }
  }
  if (linear && lora_rank > 0 && is_kept(path, lora_targets, false)) out.lora_rank = lora_rank;
  return out;
}

void WeightStorage::apply(BaseLayer& root, const std::vector<std::string>& inside) const {
  if (!any()) return;
  check_names(root);
  check_tensors(root);
  apply_to_part(root, inside);
}

void WeightStorage::check_names(const BaseLayer& root) const {
  std::set<std::string> unknown(keep_modules.begin(), keep_modules.end()), names;
  unknown.insert(lora_targets.begin(), lora_targets.end());
  for_each_module(root, "", [&](const BaseLayer&, const std::string& path) {
    const std::string last = path.substr(path.rfind('.') + 1);
    if (!last.empty() && last.find_first_not_of("0123456789") != std::string::npos) names.insert(last);
    for (auto name = unknown.begin(); name != unknown.end();) {
      const bool found = is_named(path, *name) || path.find(*name) != std::string::npos;
      name = found ? unknown.erase(name) : std::next(name);
    }
  });
  if (unknown.empty()) return;
  const bool target = std::find(keep_modules.begin(), keep_modules.end(), *unknown.begin()) == keep_modules.end();
  throw Error(fmt::format("{}.{}: no module of {} is called '{}'", group, target ? "lora.targets" : "keep_modules",
                          root.class_name(), *unknown.begin()),
              {}, name_notes(*unknown.begin(), {names.begin(), names.end()}));
}

// Of a GGUF file those in blocks: others are not kept as they are.
void WeightStorage::check_tensors(const BaseLayer& root) const {
  if (by_tensor.empty()) return;
  std::map<std::string, Shape> ours;
  root.for_each_parameter([&](const std::string& name, const TensorSpec& spec) { ours[name] = spec.sizes; });
  for (const auto& [name, tensor] : by_tensor) {
    if (tensor.format == nullptr) continue;
    const auto found = ours.find(name);
    const auto differs = [&](const std::string& what) {
      throw Error(fmt::format("{}.gguf: {}: '{}' {}", group, gguf_path, tensor.name, what));
    };
    if (found == ours.end()) differs(fmt::format("is no parameter of {}", root.class_name()));
    Shape sizes;
    for (const int64_t size : tensor.sizes) sizes.push_back(size);
    if (sizes != found->second) {
      differs(fmt::format("is {}, by config.json {}", sizes.to_string(), found->second.to_string()));
    }
  }
}

void WeightStorage::apply_to_part(BaseLayer& part, const std::vector<std::string>& inside) const {
  if (!any()) return;
  part.store([&](const BaseLayer& layer, const std::string& path) {
    const bool there = inside.empty() || std::any_of(inside.begin(), inside.end(), [&](const std::string& above) {
                         return path.compare(0, above.size() + 1, above + ".") == 0;
                       });
    return there ? of(layer, path) : StoredAs();
  });
}

std::string WeightStorage::name() const {
  if (!by_tensor.empty()) return "gguf";
  return format != nullptr ? std::string(format->name) : "";
}

std::vector<std::string> WeightStorage::notes(const BaseLayer& root) const {
  std::vector<std::string> out;
  int64_t stored = 0, left = 0;
  for_each_module(root, "", [&](const BaseLayer& layer, const std::string&) {
    if (layer.class_name() != "Linear") return;
    (layer.weight_format() != nullptr ? stored : left) += 1;
  });
  if (!name().empty()) {
    out.push_back(
        fmt::format("{}: the weights of {} kinds of linear layers are kept as {}, of {} as their dtype; {} "
                    "bytes in all",
                    group, stored, name(), left, root.parameter_bytes()));
  }
  if (lora_rank > 0) {
    out.push_back(fmt::format("{}: a LoRA of rank {} runs beside {} (not merged)", group, lora_rank,
                              fmt::join(lora_targets, ", ")));
  }
  return out;
}

}  // namespace modelmeter
