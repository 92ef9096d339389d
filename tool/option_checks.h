// What the values of options are checked by while the command line is read: before any work.
#ifndef LOOKUPFFN_OPTION_CHECKS_H
#define LOOKUPFFN_OPTION_CHECKS_H

#include <CLI/CLI.hpp>
#include <cstdint>

namespace lookupffn {

CLI::Validator whole_number(uint64_t least, uint64_t most);
CLI::Validator real_number(double least, double most);

// The name of an ISA, whether or not it is built in or runs here.
CLI::Validator isa_name();

// Any text but "", which most programs that are written carelessly pass for a variable that is not set.
CLI::Validator not_empty();

}  // namespace lookupffn
#endif
