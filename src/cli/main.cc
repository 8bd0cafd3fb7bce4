// The modelmeter program.
#include "cli/program.h"

int main(int argc, char** argv) { return modelmeter::cli::program({argv + 1, argv + argc}); }
