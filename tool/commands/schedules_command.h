// lookupffn schedules: which tuned schedules there are, how good, how old, and whether they match.
#ifndef LOOKUPFFN_SCHEDULES_COMMAND_H
#define LOOKUPFFN_SCHEDULES_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

// Adds the subcommand. Its callback throws std::runtime_error on failure.
void add_schedules_command(CLI::App& app);

}  // namespace lookupffn
#endif
