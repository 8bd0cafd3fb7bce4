// Arithmetic for `${eval:...}`, an extension of ours to OmegaConf's resolvers: numbers, + - * / // % **, parentheses,
// and min max abs floor ceil round int float. It computes as Python does: / gives a float, // and % round down,
// integers stay integers. Nothing else can be written in it, and nothing is looked up.
//
//   tokens: ${eval:'${frames} * (${height} // 16)'}
//
// Quotes are needed where the expression has parentheses or commas.
#pragma once

#include <string_view>

#include "config/node.h"

namespace modelmeter::config {

// Throws Error: what is wrong with the expression; an integer result beyond 64 bits; a division by zero.
Node calculate(std::string_view expression);

}  // namespace modelmeter::config
