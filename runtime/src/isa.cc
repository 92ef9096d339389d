#include "isa.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "failure.h"
#include "portable_kernels.h"
#include "status.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace lookupffn {
namespace {

constexpr Isa kIsas[] = {
    {"sse41", "x86-64 with SSE 4.1"},
    {"avx2", "AVX2 with FMA and F16C"},
    {"avx512", "AVX-512 F, CD, BW, DQ, VL: the Skylake-X set"},
    {"avx512_bf16", "avx512 with BF16, VNNI, VBMI and IFMA"},
    {"avx512_amx", "avx512_bf16 with AMX's tiles of bf16"},
};
constexpr size_t kIsaCount = sizeof kIsas / sizeof kIsas[0];

using Missing = std::array<const char*, kIsaCount>;

#if defined(__x86_64__)
// Reads the registers that the operating system saves for us (XCR0).
unsigned long long saved_state() {
  unsigned eax, edx;
  __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (static_cast<unsigned long long>(edx) << 32) | eax;
}

#if defined(__linux__)
constexpr long kTileData = 18;  // XFEATURE_XTILEDATA
bool tiles_offered() {
  constexpr long kGetSupported = 0x1021;  // ARCH_GET_XCOMP_SUPP
  unsigned long long features = 0;
  return syscall(SYS_arch_prctl, kGetSupported, &features) == 0 && (features >> kTileData & 1) != 0;
}

// Linux gives a process the 8 KB of tiles only when asked, for all its threads, those to come included. From then on their
// alternative signal stacks must have room for tiles: where one has not, it refuses. So a process that does not
// use tiles is not to ask.
bool tiles_granted() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#else
bool tiles_offered() { return false; }
bool tiles_granted() { return false; }
#endif

Missing detect() {
  unsigned a, b, c, d, b7 = 0, c7 = 0, d7 = 0, a71 = 0, ecx1 = 0;
  if (__get_cpuid(1, &a, &b, &c, &d)) ecx1 = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    b7 = b;
    c7 = c;
    d7 = d;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) a71 = a;
  }
  const auto has = [](unsigned reg, int bit) { return (reg >> bit & 1u) != 0; };
  const unsigned long long state = has(ecx1, 27) ? saved_state() : 0;
  const bool ymm = (state & 0x6) == 0x6, zmm = (state & 0xe6) == 0xe6;

  Missing missing;
  missing[0] = has(ecx1, 19) ? "" : "the CPU has no SSE 4.1";
  missing[1] = !ymm                                                       ? "the operating system does not save AVX registers"
               : !(has(b7, 5) && has(ecx1, 12) && has(ecx1, 29) && has(ecx1, 28)) ? "the CPU has no AVX2 with FMA and F16C"
                                                                          : "";
  missing[2] = *missing[1] ? missing[1]
               : !zmm      ? "the operating system does not save AVX-512 registers"
               : !(has(b7, 16) && has(b7, 17) && has(b7, 28) && has(b7, 30) && has(b7, 31))
                   ? "the CPU has no AVX-512 F, DQ, CD, BW and VL"
                   : "";
  missing[3] = *missing[2] ? missing[2]
               : !(has(a71, 5) && has(c7, 11) && has(c7, 1) && has(b7, 21))
                   ? "the CPU has no AVX-512 BF16, VNNI, VBMI and IFMA"
                   : "";
  const bool tiles = (state & 0x60000) == 0x60000;
  missing[4] = *missing[3]                     ? missing[3]
               : !(has(d7, 24) && has(d7, 22)) ? "the CPU has no AMX tiles of bf16"
               : !tiles                        ? "the operating system does not save AMX tiles"
               : !tiles_offered()              ? "the operating system does not offer AMX tiles"
                                               : "";
  return missing;
}
#else
bool tiles_granted() { return false; }

Missing detect() {
  Missing missing;
  missing.fill("this is not an x86-64 machine");
  return missing;
}
#endif

const Missing& missing_features() {
  static const Missing missing = detect();
  return missing;
}

constexpr int kAutomatic = -1;
std::atomic<int> forced{kAutomatic};

const char* environment_choice() {
  static const std::string choice = [] {
    const char* value = std::getenv("LOOKUPFFN_ISA");
    return std::string(value ? value : "");
  }();
  return choice.empty() ? nullptr : choice.c_str();
}

std::string runnable_names() {
  std::string names;
  for (size_t i = 0; i < kIsaCount; ++i) {
    if (*isa_missing(i) || !portable_kernels_built_for(kIsas[i].name)) continue;
    names += (names.empty() ? "" : ", ") + std::string(kIsas[i].name);
  }
  return names.empty() ? "none" : names;
}

// `origin` is how the name was given, for the message.
size_t checked(const char* name, const std::string& origin) {
  for (size_t i = 0; i < kIsaCount; ++i) {
    if (std::strcmp(kIsas[i].name, name) != 0) continue;
    if (!portable_kernels_built_for(name)) {
      throw Failure(LOOKUPFFN_UNSUPPORTED_ISA, "ISA '" + std::string(name) + "'" + origin +
                                                   " is not built into this library; choose one of: " + runnable_names());
    }
    if (*isa_missing(i)) {
      throw Failure(LOOKUPFFN_UNSUPPORTED_ISA, "ISA '" + std::string(name) + "'" + origin + " does not run here (" +
                                                   isa_missing(i) + "); choose one of: " + runnable_names());
    }
    return i;
  }
  throw Failure(LOOKUPFFN_UNSUPPORTED_ISA,
                "there is no ISA '" + std::string(name) + "'" + origin + "; choose one of: " + runnable_names());
}

// The widest ISA that runs here of those narrower than the one at `end`; kIsaCount: none.
size_t widest_before(size_t end) {
  for (size_t i = end; i-- > 0;) {
    if (!*isa_missing(i) && portable_kernels_built_for(kIsas[i].name)) return i;
  }
  return kIsaCount;
}

size_t active() {
  const int index = forced.load(std::memory_order_acquire);
  if (index != kAutomatic) return size_t(index);
  if (const char* name = environment_choice()) return checked(name, " of the environment variable LOOKUPFFN_ISA");
  const size_t widest = widest_before(kIsaCount);
  if (widest < kIsaCount) return widest;
  throw Failure(LOOKUPFFN_UNSUPPORTED_ISA, "this machine runs no ISA that is built into this library; SSE 4.1 is the least");
}

}  // namespace

size_t isa_count() { return kIsaCount; }
const Isa& isa_at(size_t index) { return kIsas[index]; }
const char* isa_missing(size_t index) { return missing_features()[index]; }

size_t require_isa(const char* name) {
  const size_t index = name ? checked(name, "") : active();
  if (std::strcmp(kIsas[index].name, "avx512_amx") != 0 || tiles_granted()) return index;
  const bool automatic = !name && forced.load(std::memory_order_acquire) == kAutomatic && !environment_choice();
  const size_t narrower = widest_before(index);
  if (automatic && narrower < kIsaCount) return narrower;
  throw Failure(LOOKUPFFN_UNSUPPORTED_ISA,
                "ISA 'avx512_amx': the operating system refuses AMX tiles to this process (arch_prctl ARCH_REQ_XCOMP_PERM); "
                "a thread's alternative signal stack (sigaltstack) is too small for them, or choose avx512_bf16");
}

}  // namespace lookupffn

using namespace lookupffn;

extern "C" {

size_t lookupffn_isa_count(void) { return isa_count(); }

lookupffn_status lookupffn_isa_at(size_t index, lookupffn_isa_info* info) {
  return guard([&] {
    if (!info) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_isa_at: info is NULL");
    if (index >= isa_count()) {
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_isa_at: index " + std::to_string(index) + " of " +
                                                    std::to_string(isa_count()) + " ISAs");
    }
    const Isa& isa = isa_at(index);
    size_t active_index = isa_count();
    try {
      active_index = active();
    } catch (const Failure&) {
      // A name in LOOKUPFFN_ISA that cannot be had: none is active, and the list is how a user finds out.
    }
    *info = {isa.name, isa.description, isa_missing(index), portable_kernels_built_for(isa.name) ? 1 : 0,
             *isa_missing(index) ? 0 : 1, index == active_index ? 1 : 0};
  });
}

lookupffn_status lookupffn_active_isa(const char** name) {
  return guard([&] {
    if (!name) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_active_isa: name is NULL");
    *name = isa_at(active()).name;
  });
}

lookupffn_status lookupffn_force_isa(const char* name) {
  return guard([&] {
    forced.store(name ? int(checked(name, "")) : kAutomatic, std::memory_order_release);
  });
}

}  // extern "C"
