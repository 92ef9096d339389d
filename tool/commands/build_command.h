// lookupffn build: a specialised kernel library for a model's layers or for given shapes.
#ifndef LOOKUPFFN_BUILD_COMMAND_H
#define LOOKUPFFN_BUILD_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

// Adds the subcommand. Its callback throws std::runtime_error on failure, and CLI::RuntimeError(130) where
// the user interrupted it.
void add_build_command(CLI::App& app);

}  // namespace lookupffn
#endif
