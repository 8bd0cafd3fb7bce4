#include "base/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <memory>

#include "base/error.h"

namespace modelmeter {
namespace {

constexpr size_t largest = size_t{1} << 31;

}  // namespace

// gzread reads what is not compressed as it is.
std::string read_gzipped(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) throw Error(fmt::format("{}: cannot be read", path));
  std::string out;
  std::array<char, 65536> buffer;
  for (;;) {
    const int n = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()));
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (n < 0 || code == Z_BUF_ERROR) throw Error(fmt::format("{}: a broken gzip file", path));  // or one cut off
    if (n == 0) break;
    out.append(buffer.data(), static_cast<size_t>(n));
    if (out.size() > largest) throw Error(fmt::format("{}: more than 2 GiB", path));
  }
  if (out.rfind("\xFF\xFE", 0) == 0 || out.rfind("\xFE\xFF", 0) == 0) {
    throw Error(fmt::format("{}: text in UTF-16", path), {},
                {"Windows PowerShell's > writes that; let the tool write its file itself, or save it as UTF-8"});
  }
  if (out.rfind("\xEF\xBB\xBF", 0) == 0) out.erase(0, 3);  // a byte order mark
  return out;
}

}  // namespace modelmeter
