// lookupffn inspect MODEL: layers, shapes, and what a token costs.
#ifndef LOOKUPFFN_INSPECT_COMMAND_H
#define LOOKUPFFN_INSPECT_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

void add_inspect_command(CLI::App& app);

}  // namespace lookupffn
#endif
