// Intel's and AMD's manuals, CPUID and XCR0; Linux's arch_prctl(2) for AMX's tiles.
#include <cpuid.h>

#include <sstream>
#include <string>

#include "cpu_features.h"
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lookupffn {
namespace {

enum Register { kEax, kEbx, kEcx, kEdx };

// Registers that the operating system has to save, as bits of XCR0.
constexpr unsigned long long kNone = 0, kYmm = 0x6, kZmm = 0xe6, kTile = 0x60000;

struct Feature {
  const char* name;
  unsigned leaf, subleaf;  // of CPUID
  Register in;
  int bit;
  unsigned long long state;
};

constexpr Feature kFeatures[] = {
    {"sse4.1", 1, 0, kEcx, 19, kNone},    {"avx", 1, 0, kEcx, 28, kYmm},        {"fma", 1, 0, kEcx, 12, kYmm},
    {"f16c", 1, 0, kEcx, 29, kYmm},       {"avx2", 7, 0, kEbx, 5, kYmm},        {"avx512f", 7, 0, kEbx, 16, kZmm},
    {"avx512dq", 7, 0, kEbx, 17, kZmm},   {"avx512ifma", 7, 0, kEbx, 21, kZmm}, {"avx512cd", 7, 0, kEbx, 28, kZmm},
    {"avx512bw", 7, 0, kEbx, 30, kZmm},   {"avx512vl", 7, 0, kEbx, 31, kZmm},   {"avx512vbmi", 7, 0, kEcx, 1, kZmm},
    {"avx512vnni", 7, 0, kEcx, 11, kZmm}, {"avx512fp16", 7, 0, kEdx, 23, kZmm}, {"avx512bf16", 7, 1, kEax, 5, kZmm},
    {"avxvnni", 7, 1, kEax, 4, kYmm},     {"amx-bf16", 7, 0, kEdx, 22, kTile},  {"amx-tile", 7, 0, kEdx, 24, kTile},
    {"amx-int8", 7, 0, kEdx, 25, kTile},  {"popcnt", 1, 0, kEcx, 23, kNone},    {"movbe", 1, 0, kEcx, 22, kNone},
    {"bmi1", 7, 0, kEbx, 3, kNone},       {"bmi2", 7, 0, kEbx, 8, kNone},       {"lzcnt", 0x80000001, 0, kEcx, 5, kNone},
};

bool cpu_has(const Feature& feature) {
  unsigned registers[4] = {};
  if (feature.subleaf > 0) {
    // The first subleaf says how many there are.
    if (!__get_cpuid_count(feature.leaf, 0, &registers[0], &registers[1], &registers[2], &registers[3])) return false;
    if (registers[kEax] < feature.subleaf) return false;
  }
  if (!__get_cpuid_count(feature.leaf, feature.subleaf, &registers[0], &registers[1], &registers[2], &registers[3]))
    return false;
  return (registers[feature.in] >> feature.bit & 1u) != 0;
}

unsigned long long saved_state() {
  unsigned a, b, c = 0, d;
  constexpr int kOsxsave = 27;  // the operating system uses XCR0 and lets us read it
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> kOsxsave & 1u)) return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
}

const Feature* find_feature(const std::string& name) {
  for (const Feature& feature : kFeatures) {
    if (name == feature.name) return &feature;
  }
  return nullptr;
}

constexpr long kTileData = 18;  // XFEATURE_XTILEDATA

bool tiles_offered() {
#if defined(__linux__)
  constexpr long kGetSupported = 0x1021;  // ARCH_GET_XCOMP_SUPP
  unsigned long long features = 0;
  return syscall(SYS_arch_prctl, kGetSupported, &features) == 0 && (features >> kTileData & 1) != 0;
#else
  return false;
#endif
}

const char* name_of_state(unsigned long long state) {
  return state == kYmm ? "AVX registers" : state == kZmm ? "AVX-512 registers" : "AMX tiles";
}

}  // namespace

CpuAnswer cpu_answer(const std::string& name) {
  const Feature* feature = find_feature(name);
  if (!feature) return CpuAnswer::kUnknown;
  return cpu_has(*feature) ? CpuAnswer::kHas : CpuAnswer::kLacks;
}

std::string missing_system_support(const std::string& features) {
  const unsigned long long saved = saved_state();
  std::istringstream words(features);
  std::string word;
  unsigned long long needed = 0;
  while (words >> word) needed |= find_feature(word)->state;
  for (const unsigned long long state : {kYmm, kZmm, kTile}) {
    if ((needed & state) == state && (saved & state) != state) {
      return std::string("the operating system does not save ") + name_of_state(state);
    }
  }
  if ((needed & kTile) == kTile && !tiles_offered()) return "the operating system does not offer AMX tiles";
  return "";
}

bool ask_for_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace lookupffn
