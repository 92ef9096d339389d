// lookupffn types: the types that weights can be packed as.
#ifndef LOOKUPFFN_TYPES_COMMAND_H
#define LOOKUPFFN_TYPES_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

void add_types_command(CLI::App& app);

}  // namespace lookupffn
#endif
