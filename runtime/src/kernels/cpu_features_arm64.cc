// Linux tells a program what the CPU has and the system saves by the auxiliary vector (arch/arm64/include/uapi/asm/hwcap.h);
// the names are those of /proc/cpuinfo. sve_N: a thread's vectors of SVE have N bits or more; threads inherit their length.
#include <sys/auxv.h>
#include <sys/prctl.h>

#include <string>

#include "cpu_features.h"

namespace lookupffn {
namespace {

struct Feature {
  const char* name;
  unsigned long of;  // which word of the auxiliary vector
  int bit;
};

constexpr Feature kFeatures[] = {
    {"fp", AT_HWCAP, 0},       {"asimd", AT_HWCAP, 1},    {"fphp", AT_HWCAP, 9},
    {"asimdhp", AT_HWCAP, 10}, {"asimddp", AT_HWCAP, 20}, {"sve", AT_HWCAP, 22},
    {"sve2", AT_HWCAP2, 1},    {"i8mm", AT_HWCAP2, 13},   {"bf16", AT_HWCAP2, 14},
};

// Of a vector of SVE; 0 without it.
int sve_bits() {
  constexpr int kGetLength = 51, kLengthMask = 0xffff;  // PR_SVE_GET_VL, PR_SVE_VL_LEN_MASK of newer <sys/prctl.h>
  const int bytes = prctl(kGetLength);
  return bytes < 0 ? 0 : (bytes & kLengthMask) * 8;
}

}  // namespace

CpuAnswer cpu_answer(const std::string& name) {
  const std::string sve = "sve_";
  if (name.rfind(sve, 0) == 0) return sve_bits() >= std::stoi(name.substr(sve.size())) ? CpuAnswer::kHas : CpuAnswer::kLacks;
  for (const Feature& feature : kFeatures) {
    if (name == feature.name) return getauxval(feature.of) >> feature.bit & 1 ? CpuAnswer::kHas : CpuAnswer::kLacks;
  }
  return CpuAnswer::kUnknown;
}

std::string missing_system_support(const std::string&) { return ""; }  // what is listed is saved

bool ask_for_tiles() { return false; }

}  // namespace lookupffn
