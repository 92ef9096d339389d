// lookupffn what-if: the times of a model's kernels on a machine that is changed or another.
#ifndef LOOKUPFFN_WHAT_IF_COMMAND_H
#define LOOKUPFFN_WHAT_IF_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

// Adds the subcommand. Its callback throws std::runtime_error on failure.
void add_what_if_command(CLI::App& app);

}  // namespace lookupffn
#endif
