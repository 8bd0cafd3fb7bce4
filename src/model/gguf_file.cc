#include "model/gguf_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {
namespace {

constexpr uint32_t magic = 0x46554747;  // "GGUF"
constexpr int64_t largest_text = 16 << 20, deepest_array = 4;
constexpr int64_t most_dims = 4, most_tensors = 1'000'000, most_keys = 1'000'000;
constexpr int64_t least_of_a_tensor = 8 + 4 + 4 + 8;  // bytes of an entry: name's length, dimensions, type, offset

struct TypeInfo {
  uint32_t type;
  const char* name;
  int64_t values, bytes;  // of a block
};

constexpr std::array types = std::to_array<TypeInfo>({
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},    {41, "Q1_0", 128, 18},
});

// Types of values in the metadata.
enum class ValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), in_(path, std::ios::binary) {
    in_.seekg(0, std::ios::end);
    size_ = static_cast<int64_t>(in_.tellg());
    in_.seekg(0);
    if (!in_) throw Error(fmt::format("{}: the file cannot be read", path));
  }

  int64_t size() const { return size_; }
  int64_t at() const { return at_; }
  int64_t left() const { return size_ - at_; }

  [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(int64_t offset, const std::string& what) const {
    throw Error(fmt::format("{}: offset {}: {}", path_, offset, what));
  }

  template <class T>
  T number(const char* what) {
    need(sizeof(T), what);
    std::array<unsigned char, sizeof(T)> bytes{};
    in_.read(reinterpret_cast<char*>(bytes.data()), sizeof(T));  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
    at_ += sizeof(T);
    uint64_t value = 0;
    for (size_t i = sizeof(T); i-- > 0;) value = (value << 8) | bytes[i];
    return static_cast<T>(value);
  }

  // A length or a size, which has to fit into what it counts.
  int64_t count(const char* what, int64_t most) {
    const int64_t start = at_;
    const auto value = number<uint64_t>(what);
    if (value > static_cast<uint64_t>(most)) fail_at(start, fmt::format("{} is {}, of at most {}", what, value, most));
    return static_cast<int64_t>(value);
  }

  std::string text(const char* what) {
    const int64_t length = count(what, std::min(left(), largest_text));
    need(length, what);
    std::string out(static_cast<size_t>(length), '\0');
    in_.read(out.data(), length);
    at_ += length;
    return out;
  }

  void skip(int64_t bytes, const char* what) {
    need(bytes, what);
    in_.seekg(bytes, std::ios::cur);
    at_ += bytes;
  }

 private:
  void need(int64_t bytes, const char* what) const {
    if (bytes > left()) fail(fmt::format("the file ends within {}", what));
  }

  std::string path_;
  std::ifstream in_;
  int64_t size_ = 0, at_ = 0;
};

int64_t size_of_value(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean: return 1;
    case ValueType::u16:
    case ValueType::i16: return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32: return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64: return 8;
    case ValueType::text:
    case ValueType::array: break;
  }
  return 0;
}

ValueType value_type(Reader& in) {
  const int64_t start = in.at();
  const auto type = in.number<uint32_t>("the type of a value");
  if (type > static_cast<uint32_t>(ValueType::f64)) in.fail_at(start, fmt::format("a value of type {}", type));
  return static_cast<ValueType>(type);
}

void skip_value(Reader& in, ValueType type, int64_t depth) {
  if (type == ValueType::text) {
    in.text("a text");
  } else if (type == ValueType::array) {
    if (depth >= deepest_array) in.fail("lists in lists in lists");
    const ValueType of = value_type(in);
    const int64_t each = std::max<int64_t>(size_of_value(of), 1);
    const int64_t n = in.count("the length of a list", in.left() / each);
    if (size_of_value(of) > 0) return in.skip(n * each, "a list");
    for (int64_t i = 0; i < n; ++i) skip_value(in, of, depth + 1);
  } else {
    in.skip(size_of_value(type), "a value");
  }
}

struct Metadata {
  std::string architecture;
  int64_t alignment = 32;
};

Metadata read_metadata(Reader& in, int64_t keys) {
  Metadata out;
  for (int64_t i = 0; i < keys; ++i) {
    const std::string key = in.text("a key");
    const ValueType type = value_type(in);
    if (key == "general.architecture" && type == ValueType::text) {
      out.architecture = in.text("general.architecture");
    } else if (key == "general.alignment" && type == ValueType::u32) {
      out.alignment = in.number<uint32_t>("general.alignment");
      if (out.alignment == 0 || out.alignment % 8 != 0 || out.alignment > 1 << 20) {
        in.fail(fmt::format("general.alignment is {}", out.alignment));
      }
    } else {
      skip_value(in, type, 0);
    }
  }
  return out;
}

GgufTensor read_tensor(Reader& in) {
  GgufTensor out;
  out.name = in.text("the name of a tensor");
  const int64_t start = in.at();
  const auto dims = in.number<uint32_t>("the dimensions of a tensor");
  if (dims > most_dims)
    in.fail_at(start, fmt::format("'{}' has {} dimensions, of at most {}", out.name, dims, most_dims));
  int64_t values = 1;
  for (uint32_t i = 0; i < dims; ++i) {
    out.sizes.insert(out.sizes.begin(), in.count("the size of a tensor", INT64_MAX));
    if (__builtin_mul_overflow(values, out.sizes.front(), &values)) {
      in.fail_at(start, fmt::format("the sizes of '{}' overflow", out.name));
    }
  }
  const int64_t type_at = in.at();
  out.type = in.number<uint32_t>("the type of a tensor");
  const auto* const known =
      std::find_if(types.begin(), types.end(), [&](const TypeInfo& t) { return t.type == out.type; });
  if (known == types.end())
    in.fail_at(type_at, fmt::format("'{}' is of type {}, which is not known", out.name, out.type));
  out.type_name = known->name;
  const int64_t row = out.sizes.empty() ? 1 : out.sizes.back();
  if (row % known->values != 0) {
    in.fail_at(start, fmt::format("'{}' has rows of {} values, which are not whole blocks of {} ({})", out.name, row,
                                  known->values, known->name));
  }
  if (__builtin_mul_overflow(values / known->values, known->bytes, &out.bytes)) {
    in.fail_at(start, fmt::format("the size of '{}' overflows", out.name));
  }
  out.offset = in.count("the offset of a tensor", INT64_MAX);
  return out;
}

// That all of them are in the file, each in a place of its own.
void check_places(const Reader& in, const GgufFile& file, int64_t alignment) {
  std::vector<const GgufTensor*> sorted;
  for (const GgufTensor& tensor : file.tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  const int64_t data = file.file_size - file.data_offset;
  const bool alone = data <= 0;  // the header was taken by itself
  const GgufTensor* before = nullptr;
  for (const GgufTensor* tensor : sorted) {
    if (tensor->offset % alignment != 0) {
      in.fail(fmt::format("'{}' begins at {} of the data, no multiple of {}", tensor->name, tensor->offset, alignment));
    }
    if (!alone && (tensor->offset > data || tensor->bytes > data - tensor->offset)) {
      in.fail(
          fmt::format("'{}' has {} bytes from {} of the data, which end at {}: the file is cut, or its header is wrong",
                      tensor->name, tensor->bytes, tensor->offset, std::max<int64_t>(data, 0)));
    }
    if (before != nullptr && before->bytes > tensor->offset - before->offset) {
      in.fail(fmt::format("'{}' begins at {} of the data, within '{}', which has {} bytes from {}", tensor->name,
                          tensor->offset, before->name, before->bytes, before->offset));
    }
    before = tensor;
  }
}

}  // namespace

int64_t GgufFile::tensor_bytes() const {
  int64_t sum = 0;
  for (const GgufTensor& tensor : tensors) sum = checked_add(sum, tensor.bytes, "the size of the tensors");
  return sum;
}

GgufFile read_gguf(const std::string& path) {
  Reader in(path);
  if (in.size() < 4 || in.number<uint32_t>("the magic") != magic)
    in.fail_at(0, "no GGUF file: it does not begin with GGUF");
  const auto version = in.number<uint32_t>("the version");
  if (version != 2 && version != 3)
    in.fail_at(4, fmt::format("GGUF of version {}; versions 2 and 3 are read", version));
  const int64_t tensors = in.count("the number of tensors", std::min(most_tensors, in.left() / least_of_a_tensor));
  const int64_t keys = in.count("the number of keys", std::min(most_keys, in.left()));
  GgufFile out;
  out.path = path;
  out.file_size = in.size();
  const Metadata metadata = read_metadata(in, keys);
  out.architecture = metadata.architecture;
  std::set<std::string> names;
  for (int64_t i = 0; i < tensors; ++i) {
    const int64_t start = in.at();
    out.tensors.push_back(read_tensor(in));
    if (!names.insert(out.tensors.back().name).second) {
      in.fail_at(start, fmt::format("'{}' is there twice", out.tensors.back().name));
    }
  }
  out.data_offset = (in.at() + metadata.alignment - 1) / metadata.alignment * metadata.alignment;
  check_places(in, out, metadata.alignment);
  return out;
}

}  // namespace modelmeter
