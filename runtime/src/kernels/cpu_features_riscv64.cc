// Linux tells a program of single-letter extensions that the CPU has and the system saves by the auxiliary vector: bit 0 is a.
#include <sys/auxv.h>

#include <string>

#include "cpu_features.h"

namespace lookupffn {

CpuAnswer cpu_answer(const std::string& name) {
  if (name.size() != 1 || name[0] < 'a' || name[0] > 'z') return CpuAnswer::kUnknown;
  return getauxval(AT_HWCAP) >> (name[0] - 'a') & 1 ? CpuAnswer::kHas : CpuAnswer::kLacks;
}

std::string missing_system_support(const std::string&) { return ""; }  // what is listed is saved

bool ask_for_tiles() { return false; }

}  // namespace lookupffn
