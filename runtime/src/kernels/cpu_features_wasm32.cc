// An engine refuses a module with instructions that it lacks, so a module that runs has what it was compiled for.
#include <string>

#include "cpu_features.h"

namespace lookupffn {

CpuAnswer cpu_answer(const std::string& name) { return name == "simd128" ? CpuAnswer::kHas : CpuAnswer::kUnknown; }

std::string missing_system_support(const std::string&) { return ""; }

bool ask_for_tiles() { return false; }

}  // namespace lookupffn
