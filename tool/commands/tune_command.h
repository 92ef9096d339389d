// lookupffn tune: finds schedules for a machine, or replays a recorded search.
#ifndef LOOKUPFFN_TUNE_COMMAND_H
#define LOOKUPFFN_TUNE_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

// Adds the subcommand. Its callback throws std::runtime_error on failure, and CLI::RuntimeError(1) where a
// kernel could not be tuned, which was reported.
void add_tune_command(CLI::App& app);

}  // namespace lookupffn
#endif
