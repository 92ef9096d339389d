// lookupffn run MODEL: x from a file through one layer, y to a file.
#ifndef LOOKUPFFN_RUN_COMMAND_H
#define LOOKUPFFN_RUN_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

void add_run_command(CLI::App& app);

}  // namespace lookupffn
#endif
