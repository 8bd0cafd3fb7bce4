// How large a configuration may be. No use comes near these bounds; without them a few lines of YAML ask for gigabytes
// (anchors of anchors), for hours (interpolations of interpolations), or for a deeper stack than there is. What goes
// past one is an Error that names it.
#pragma once

#include <cstddef>

namespace modelmeter::config {

// Maps and lists within each other in one text, and parts of a dotted key or package.
inline constexpr size_t max_depth = 200;
// The same in a whole configuration, where packages and interpolations put texts into each other.
inline constexpr size_t max_tree_depth = 5 * max_depth;
// Values of a text with its aliases written out, of a composed configuration, and of a resolved one.
inline constexpr size_t max_nodes = 1'000'000;
// Interpolations that are followed in one configuration, how many of them in each other, and the text they make.
inline constexpr size_t max_interpolations = 500'000, max_interpolation_depth = 100;
inline constexpr size_t max_interpolated_bytes = size_t{64} << 20;
// Configs of a defaults list, and how deep their lists are in each other.
inline constexpr size_t max_configs = 10'000, max_defaults_depth = 100;

}  // namespace modelmeter::config
