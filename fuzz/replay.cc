// replay FOLDER...: every file of the folders once, as a test. Fails where there is none.
#include <fmt/format.h>

#include <filesystem>

#include "base/files.h"
#include "fuzz_target.h"

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const fs::directory_entry& entry : fs::directory_iterator(argv[i])) {
      const std::string text = modelmeter::read_file(entry.path().string());
      fmt::print(stderr, "{}\n", entry.path().filename().string());
      modelmeter::fuzz::run_guarded(reinterpret_cast<const uint8_t*>(text.data()), text.size());
      ++inputs;
    }
  }
  fmt::print("{} inputs\n", inputs);
  return inputs == 0 ? 1 : 0;
}
