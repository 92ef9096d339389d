// Where the pieces are that candidates are built from.
#ifndef LOOKUPFFN_FIND_TUNE_TOOLS_H
#define LOOKUPFFN_FIND_TUNE_TOOLS_H

#include <string>

#include "candidate_build.h"

namespace lookupffn {

// The archives next to this program where it is installed, else those of the build tree that it came from.
// The compilers are $CC (cc) and $CXX (c++). What is not found stays a path that is not there:
// TuneTools::check reports it. `generator`: the generator program's path.
//
// For an ISA of another architecture than this machine's: the archives of `target`, where lookupffn was built or installed for
// it, and the cross compilers of registry/architectures.def, or what $CC_TRIPLE and $CXX_TRIPLE name (CC_aarch64_linux_gnu).
// `target` "": build/ISA as `scripts/target ISA` makes it, in the working directory or beside this program's own build tree,
// for this ISA or another of the architecture; or where Debian's packages of that architecture put it. Throws
// std::runtime_error where there is none of these, and for an architecture that the measuring program cannot be linked for.
TuneTools find_tune_tools(const std::string& generator, const std::string& isa, const std::string& target);

}  // namespace lookupffn
#endif
