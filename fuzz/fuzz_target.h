// What a fuzz target is: a reader of text that anybody may have written. It may succeed or throw modelmeter::Error of
// any code but internal; whatever else it does (crash, hang, another exception, a broken property) is a fault.
//
// Each target is one file that defines run(). Built with libFuzzer (preset fuzz) it looks for new inputs; in every
// other build it reads those in corpus/<target>/, as a test of the suite.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace modelmeter::fuzz {

void run(const std::string& text);

// Aborts with the message where what must hold of every input does not.
void require(bool holds, std::string_view message);

// A file of this process with that content, for readers that take a path. The same one each time.
std::string file_of(const std::string& text, const std::string& name);

// run(), with Error caught; aborts on any other exception.
void run_guarded(const uint8_t* data, size_t size);

}  // namespace modelmeter::fuzz
