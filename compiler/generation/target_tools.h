// The C compiler and the archiver that make kernel libraries for an architecture.
#ifndef LOOKUPFFN_TARGET_TOOLS_H
#define LOOKUPFFN_TARGET_TOOLS_H

#include <string>
#include <vector>

#include "architectures.h"

namespace lookupffn {

struct TargetTools {
  std::vector<std::string> compiler, archiver;  // a program and options that it always gets
};

// $CC_TRIPLE and $AR_TRIPLE (CC_aarch64_linux_gnu) where they are set; else, for this machine's architecture, $CC (cc) and $AR
// (ar); else the cross compiler of registry/architectures.def. Throws std::runtime_error that names the program that is not
// there and Debian's package.
TargetTools target_tools(Architecture architecture);

}  // namespace lookupffn
#endif
