// Where the pieces are that candidates are built from.
#ifndef LOOKUPFFN_FIND_TUNE_TOOLS_H
#define LOOKUPFFN_FIND_TUNE_TOOLS_H

#include <string>

#include "candidate_build.h"

namespace lookupffn {

// The archives next to this program where it is installed, else those of the build tree that it came from.
// The compilers are $CC (cc) and $CXX (c++). What is not found stays a path that is not there:
// TuneTools::check reports it. `generator`: the generator program's path.
TuneTools find_tune_tools(const std::string& generator);

}  // namespace lookupffn
#endif
