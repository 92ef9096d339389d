// Where this program's helpers are: the generator program and the schedules directory.
#ifndef LOOKUPFFN_INSTALLATION_H
#define LOOKUPFFN_INSTALLATION_H

#include <string>
#include <vector>

namespace lookupffn {

// How to get a Halide to build lookupffn with, for messages.
inline constexpr const char* kInstallHalide = "`apt install libhalide14-0-dev` on Debian 12, `libhalide19-dev` on 13";

// The generator program: `named` where it is not "", else $LOOKUPFFN_GENERATOR, else lookupffn_generators
// next to this executable, in ../libexec/lookupffn, or in the build tree that this program came from. Throws
// std::runtime_error saying what to install or name where there is none.
std::string find_generator(const std::string& named);

// Directories with schedule spaces and records: those named, in their order, then
// ../share/lookupffn/schedules of this executable or else the source tree that this program came from, where
// that exists. Throws std::runtime_error for a named directory that is not there, and where there is none at
// all.
std::vector<std::string> find_schedules(const std::vector<std::string>& named);

}  // namespace lookupffn
#endif
