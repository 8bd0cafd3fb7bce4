// Short settings: PYTORCH_CUDA_ALLOC_CONF, and a device file.
#include "config/yaml.h"
#include "fuzz_target.h"
#include "hardware/device.h"
#include "memory/alloc_conf.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  if (text.find('\n') == std::string::npos) {
    parse_alloc_conf(text);
    return;
  }
  if (text.find("${") != std::string::npos) return;  // the program resolves interpolations before it reads a device
  const config::Node node = config::parse_yaml(text, "device.yaml");
  read_device(config::View(node), "input");
}

}  // namespace modelmeter::fuzz
