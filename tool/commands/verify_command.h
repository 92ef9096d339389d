// lookupffn verify MODEL [IO]: do its layers compute what the training code computed?
#ifndef LOOKUPFFN_VERIFY_COMMAND_H
#define LOOKUPFFN_VERIFY_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

// Its callback throws CLI::RuntimeError(1) where a result is out of tolerance.
void add_verify_command(CLI::App& app);

}  // namespace lookupffn
#endif
