// Reading of the JSON form.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_map>

#include "base/checked.h"
#include "base/gzip.h"
#include "base/json_reader.h"
#include "recording/form.h"
#include "recording/recording.h"

namespace modelmeter {
namespace {

// A few hundred megabytes in memory. The largest recording that is known has 5,000.
constexpr size_t most_recorded_ops = 500'000;

class Reader final : public JsonReader {
 public:
  explicit Reader(const std::string& file)
      : JsonReader(file, fmt::format("a reference has \"schema\": \"{}\"; docs/trace_format.md describes it",
                                     recording_schema)) {}

  // Where what is read next stands; "" for the document itself.
  void at_list(const char* list, size_t index) {
    list_ = list;
    index_ = index;
    op_ = none;
  }
  void at_op(size_t op) { op_ = op; }
  void at_document() { list_ = ""; }

  std::string text_or(const Json& object, const char* key, const char* otherwise) const {
    return object.contains(key) ? text(object, key) : otherwise;
  }
  int64_t integer(const Json& value, const char* what) const {
    if (!value.is_number_integer()) fail(fmt::format("{} is not an integer", what));
    if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
      fail(fmt::format("{} is not an integer of 64 bits", what));
    }
    return value.get<int64_t>();
  }
  // A size, or what is counted.
  int64_t amount(const Json& value, const char* what) const {
    const int64_t out = integer(value, what);
    if (out < 0) fail(fmt::format("{} is below 0", what));
    return out;
  }
  int64_t number(const Json& object, const char* key) const { return amount(field(object, key), key); }
  int32_t small(const Json& value, const char* what) const {
    const int64_t out = integer(value, what);
    if (out < -1 || out > std::numeric_limits<int32_t>::max()) fail(fmt::format("{} is {}", what, out));
    return static_cast<int32_t>(out);
  }
  bool flag(const Json& value, const char* what) const {
    if (!value.is_boolean()) fail(fmt::format("{} is neither true nor false", what));
    return value.get<bool>();
  }
  Count count(const Json& object, const char* key) const {
    const std::optional<Count> out = count_in(field(object, key));
    if (!out) fail(fmt::format("{} is not an integer", key));
    if (*out < 0) fail(fmt::format("{} is below 0", key));
    return *out;
  }
  int64_t number_or(const Json& object, const char* key, int64_t otherwise) const {
    return object.contains(key) ? integer(object[key], key) : otherwise;
  }
  Shape shape(const Json& list, const char* what) const {
    if (!list.is_array()) fail(fmt::format("{} is not a list", what));
    if (list.size() > Shape::max_rank) fail(fmt::format("an operand has more than {} dimensions", Shape::max_rank));
    Shape out;
    for (const Json& dim : list) out.push_back(amount(dim, what));
    return out;
  }

  RecordedTensor tensor(const Json& row) const {
    if (!row.is_array() || row.size() < 2 || row.size() > 5 || !row[0].is_array() || !row[1].is_string()) {
      fail("an operand is not a pair of shape and dtype");
    }
    RecordedTensor out;
    out.sizes = shape(row[0], "a size");
    out.dtype = row[1].get<std::string>();
    if (row.size() > 2 && !row[2].is_null()) out.storage = small(row[2], "the number of a storage");
    if (row.size() > 3 && !row[3].is_null()) {
      out.strided = true;
      out.strides = shape(row[3], "a stride");
      if (out.strides.rank() != out.sizes.rank()) fail("an operand has not as many strides as sizes");
    }
    if (row.size() > 4) out.offset = amount(row[4], "an offset");
    return out;
  }

  RecordedOp op(const Json& row) const {
    if (!row.is_array() || row.size() < 8 || row.size() > 9 || !row[0].is_string() || !row[1].is_string() ||
        !row[2].is_array() || !row[3].is_array()) {
      fail("an op is not [kernel, scope, inputs, outputs, flops, read, write, live]");
    }
    RecordedOp out;
    out.kernel = row[0].get<std::string>();
    out.scope = row[1].get<std::string>();
    out.inputs.reserve(row[2].size());
    for (const Json& t : row[2]) out.inputs.push_back(tensor(t));
    out.outputs.reserve(row[3].size());
    for (const Json& t : row[3]) out.outputs.push_back(tensor(t));
    out.flops = amount(row[4], "flops");
    out.read = amount(row[5], "read");
    out.write = amount(row[6], "write");
    out.live = integer(row[7], "live");
    out.counted = out.kernel.find("empty") == std::string::npos && !out.outputs.empty();
    if (row.size() > 8) read_detail(row[8], out.detail);
    return out;
  }

 private:
  static constexpr size_t none = std::numeric_limits<size_t>::max();

  std::string place() const override {
    if (*list_ == '\0') return "";
    return op_ == none ? fmt::format("{}[{}]: ", list_, index_) : fmt::format("{}[{}].ops[{}]: ", list_, index_, op_);
  }

  void read_detail(const Json& extra, RecordedDetail& out) const {
    if (!extra.is_object()) fail("what is beside an op's 8 fields is not a map");
    if (extra.contains("causal")) out.causal = flag(extra["causal"], "causal");
    if (extra.contains("tf32")) out.tf32 = flag(extra["tf32"], "tf32");
    if (extra.contains("stream")) {
      const int64_t stream = amount(extra["stream"], "stream");
      if (stream > 255) fail("stream is above 255");
      out.stream = static_cast<uint8_t>(stream);
    }
    if (extra.contains("params")) {
      const Shape params = shape(extra["params"], "one of params");
      if (params.rank() != 3) fail("params is not [sequences, longest query, longest key]");
      out.attention = {params[0], params[1], params[2]};
    }
    if (extra.contains("stride")) {
      out.convolution = {shape(extra["stride"], "a stride"), shape(field(extra, "padding"), "a padding"),
                         shape(field(extra, "dilation"), "a dilation")};
    }
  }

  const char* list_ = "";
  size_t index_ = 0, op_ = none;
};

// "decoder#3" names the fourth call of decoder.
std::string module_of(const std::string& section) { return section.substr(0, section.find('#')); }

// Whether a recording has sums of its sections alone.
bool has_sums_alone(const Json& sections) {
  return std::any_of(sections.begin(), sections.end(), [](const Json& section) {
    return section.is_object() && !section.contains("ops") && !section.contains("same_as");
  });
}

void read_sums(Reader& reader, const Json& sections, std::vector<RecordedSection>& out) {
  for (const Json& section : sections) {
    reader.at_list("sections", out.size());
    RecordedSection sums;
    sums.name = reader.text(section, "section");
    if (section.contains("same_as")) {
      const std::string source = reader.text(section, "same_as");
      const auto found =
          std::find_if(out.rbegin(), out.rend(), [&](const RecordedSection& known) { return known.name == source; });
      if (found == out.rend())
        reader.fail(fmt::format("section \"{}\" is the same as unknown \"{}\"", sums.name, source));
      const std::string name = sums.name;
      sums = *found;
      sums.name = name;
    } else {
      sums.flops = reader.count(section, "flops");
      sums.read = reader.count(section, "read");
      sums.write = reader.count(section, "write");
      sums.kernels = reader.count(section, "kernels");
    }
    out.push_back(std::move(sums));
  }
}

// The kernels, sections of `same_as` written out.
class SectionReader {
 public:
  SectionReader(Reader& reader, Recording& out) : reader_(reader), out_(out), ops_(out.ops) {}

  void read(const Json& sections) {
    ends_.push_back(0);
    for (const Json& section : sections) {
      reader_.at_list("sections", ends_.size() - 1);
      const std::string name = reader_.text(section, "section");
      Section now{ops_.size(), 0, storages_of(section)};
      if (section.contains("same_as")) {
        copy(section, name, now);
      } else {
        size_t at = 0;
        for (const Json& row : reader_.list(section, "ops")) {
          reader_.at_op(at++);
          ops_.push_back(reader_.op(row));
          for_each_operand(ops_.back(), [&](RecordedTensor& t) { number(t, now); });
        }
      }
      now.last = ops_.size();
      ends_.push_back(now.last);
      if (!name.empty()) known_[name] = std::move(now);
    }
    reader_.at_document();
  }

  // The ops before each section, and all.
  const std::vector<size_t>& ends() const { return ends_; }

 private:
  struct Section {
    size_t first, last;
    std::optional<std::vector<int32_t>> storages;  // by their number in the section
  };

  template <class Visit>
  static void for_each_operand(RecordedOp& op, const Visit& visit) {
    for (RecordedTensor& t : op.inputs) visit(t);
    for (RecordedTensor& t : op.outputs) visit(t);
  }

  int32_t checked(int64_t storage) const {
    if (storage < 0 || storage >= static_cast<int64_t>(out_.storages.size())) {
      reader_.fail(fmt::format("storage {} is none of the {} in \"storages\"", storage, out_.storages.size()));
    }
    return static_cast<int32_t>(storage);
  }

  std::optional<std::vector<int32_t>> storages_of(const Json& section) const {
    if (!section.contains("storages")) return std::nullopt;
    std::vector<int32_t> list;
    for (const Json& storage : reader_.list(section, "storages")) {
      list.push_back(checked(reader_.integer(storage, "the number of a storage")));
    }
    return list;
  }

  // From the operand's number in the section to that in the file.
  void number(RecordedTensor& tensor, const Section& section) const {
    if (tensor.storage < 0) return;
    if (!section.storages) {
      tensor.storage = checked(tensor.storage);
      return;
    }
    if (static_cast<size_t>(tensor.storage) >= section.storages->size()) {
      reader_.fail(
          fmt::format("storage {} is none of the {} of its section", tensor.storage, section.storages->size()));
    }
    tensor.storage = (*section.storages)[static_cast<size_t>(tensor.storage)];
  }

  void copy(const Json& section, const std::string& name, const Section& now) {
    const std::string source = reader_.text(section, "same_as");
    const auto found = known_.find(source);
    if (found == known_.end()) reader_.fail(fmt::format("section \"{}\" is the same as unknown \"{}\"", name, source));
    const Section& of = found->second;
    if (of.storages.has_value() != now.storages.has_value() ||
        (of.storages && of.storages->size() != now.storages->size())) {
      reader_.fail(fmt::format("section \"{}\" has not as many storages as \"{}\"", name, source));
    }
    if (name.find('#') == std::string::npos) out_.same_as.emplace_back(name, module_of(source));
    // Live memory of a repeated section differs from its model's by what is live around it; peaks tell by how much.
    int64_t peak = 0;
    for (size_t i = of.first; i < of.last; ++i) peak = std::max(peak, ops_[i].live);
    const int64_t shift = checked_add(reader_.number_or(section, "peak_live", peak), -peak, "live memory");
    if (ops_.size() + (of.last - of.first) > most_recorded_ops) {
      reader_.fail(fmt::format("repeated sections make more than {} kernels", most_recorded_ops));
    }
    std::unordered_map<int32_t, int32_t> storages;
    for (size_t i = 0; of.storages && i < of.storages->size(); ++i) storages[(*of.storages)[i]] = (*now.storages)[i];
    for (size_t i = of.first; i < of.last; ++i) {
      RecordedOp op = ops_[i];
      op.scope = renamed(op.scope, module_of(source), module_of(name));
      op.live = checked_add(op.live, shift, "live memory");
      for_each_operand(op, [&](RecordedTensor& t) {
        if (const auto moved = storages.find(t.storage); moved != storages.end()) t.storage = moved->second;
      });
      ops_.push_back(std::move(op));
    }
  }

  Reader& reader_;
  Recording& out_;
  std::vector<RecordedOp>& ops_;
  std::map<std::string, Section> known_;
  std::vector<size_t> ends_;
};

void read_storages(Reader& reader, const Json& document, std::vector<RecordedStorage>& out) {
  if (!document.contains("storages")) return;
  const Json& list = reader.list(document, "storages");
  out.reserve(list.size());
  for (const Json& row : list) {
    reader.at_list("storages", out.size());
    if (!row.is_array() || row.size() < 3 || row.size() > 4 || (row.size() == 4 && !row[3].is_string())) {
      reader.fail("a storage is not [bytes, born, died] or [bytes, born, died, role]");
    }
    RecordedStorage& storage = out.emplace_back();
    storage.bytes = reader.amount(row[0], "the size of a storage");
    storage.born = reader.small(row[1], "born");
    storage.died = reader.small(row[2], "died");
    if (row.size() == 4) storage.role = row[3].get<std::string>();
  }
}

void check_storages(Reader& reader, const Recording& recording) {
  const auto ops = static_cast<int64_t>(recording.ops.size());
  for (size_t i = 0; i < recording.storages.size(); ++i) {
    const RecordedStorage& s = recording.storages[i];
    reader.at_list("storages", i);
    if (s.born >= ops) reader.fail(fmt::format("it is made by op {}, and there are {}", s.born, ops));
    if (s.died > ops) reader.fail(fmt::format("it goes after {} ops, and there are {}", s.died, ops));
    if (s.died >= 0 && s.died <= s.born) reader.fail("it goes before it is made");
  }
  reader.at_document();
}

void read_stages(Reader& reader, const Json& document, const std::vector<size_t>& ends, Recording& out) {
  if (!document.contains("stages")) return;
  size_t next = 0;
  for (const Json& row : reader.list(document, "stages")) {
    reader.at_list("stages", out.stages.size());
    const std::string name = reader.text(row, "name");
    const bool named = !name.empty() && name.find('/') == std::string::npos;
    if (!named) reader.fail("the name of a stage is empty, or has a '/'");
    for (const RecordedStage& known : out.stages) {
      if (known.name == name) reader.fail(fmt::format("there are two stages \"{}\"", name));
    }
    const auto sections = static_cast<size_t>(reader.number(row, "sections"));
    if (sections > ends.size() - 1 - next) reader.fail("its sections are more than there are");
    const int64_t repeat = row.contains("repeat") ? reader.number(row, "repeat") : 1;
    if (repeat < 1 || repeat > std::numeric_limits<int32_t>::max()) reader.fail(fmt::format("repeat is {}", repeat));
    out.stages.push_back({name, ends[next], ends[next + sections], repeat});
    next += sections;
  }
  reader.at_document();
  if (next + 1 != ends.size()) reader.fail("the stages have not all sections");
}

void read_parameters(Reader& reader, const Json& document, const char* key, std::vector<RecordedParameter>& out) {
  for (const Json& p : reader.list(document, key)) {
    reader.at_list(key, out.size());
    if (!p.is_array() || p.size() != 3 || !p[0].is_string()) reader.fail("a parameter is not [name, shape, dtype]");
    out.push_back({p[0].get<std::string>(), reader.tensor(Json::array({p[1], p[2]}))});
  }
  reader.at_document();
}

void read_modules(Reader& reader, const Json& document, std::vector<RecordedModule>& out) {
  for (const Json& m : reader.list(document, "modules")) {
    reader.at_list("modules", out.size());
    out.push_back({reader.text(m, "name"), reader.text(m, "class"), reader.number(m, "calls"),
                   reader.count(m, "params"), reader.count(m, "param_bytes"), reader.count(m, "flops"),
                   reader.count(m, "read"), reader.count(m, "write"), reader.count(m, "kernels")});
  }
  reader.at_document();
}

}  // namespace

Recording read_recording(const std::string& text, const std::string& file) {
  Reader reader(file);
  const Json document = reader.parse(text);
  if (!document.is_object() || document.value("schema", Json()) != Json(recording_schema)) {
    reader.fail("not a reference");
  }
  Recording out;
  out.code = reader.text(document, "code");
  out.implementation = reader.text(document, "implementation");
  out.attention = reader.text_or(document, "attention", "flash");
  out.variant = reader.text_or(document, "variant", "");
  out.precision = reader.text_or(document, "precision", "");
  out.weights = reader.text_or(document, "weights", "");
  out.generation = reader.text_or(document, "generation", "");
  out.case_name = reader.text_or(document, "case", "");
  out.config = document.contains("config") ? document["config"].dump() : "{}";
  out.workload = document.contains("workload") ? document["workload"].dump() : "{}";
  if (document.contains("parallel")) out.parallel = document["parallel"].dump();
  const Json& totals = reader.field(document, "totals");
  out.totals = {reader.count(totals, "params"),
                reader.count(totals, "param_bytes"),
                reader.count(totals, "kernels"),
                reader.count(totals, "flops"),
                reader.count(totals, "read"),
                reader.count(totals, "write"),
                reader.count(totals, "live_at_start"),
                reader.count(totals, "peak_live"),
                totals.contains("live_at_end") ? reader.count(totals, "live_at_end") : -1};
  read_modules(reader, document, out.modules);
  read_parameters(reader, document, "parameters", out.parameters);
  if (document.contains("buffers")) read_parameters(reader, document, "buffers", out.buffers);
  const Json& sections = reader.list(document, "sections");
  if (has_sums_alone(sections)) {
    read_sums(reader, sections, out.sections);
    return out;
  }
  read_storages(reader, document, out.storages);
  SectionReader section_reader(reader, out);
  section_reader.read(sections);
  check_storages(reader, out);
  read_stages(reader, document, section_reader.ends(), out);
  return out;
}

Recording read_recording_file(const std::string& file) { return read_recording(read_gzipped(file), file); }

}  // namespace modelmeter
