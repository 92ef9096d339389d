// lookupffn isas: which ISAs are built in, which this machine runs, which is active.
#ifndef LOOKUPFFN_ISAS_COMMAND_H
#define LOOKUPFFN_ISAS_COMMAND_H

#include <CLI/CLI.hpp>

namespace lookupffn {

void add_isas_command(CLI::App& app);

}  // namespace lookupffn
#endif
