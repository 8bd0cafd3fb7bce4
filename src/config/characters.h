// The characters that config's grammars are made of: ASCII only, as ANTLR's rules of Hydra and OmegaConf have them.
#pragma once

namespace modelmeter::config {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace modelmeter::config
