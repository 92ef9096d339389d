#include "isa.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "cpu_features.h"
#include "failure.h"
#include "generic_kernels.h"
#include "status.h"

namespace lookupffn {
namespace {

using Missing = std::array<std::string, kIsaCount>;

const Missing& missing_features() {
  static const Missing missing = [] {
    Missing result;
    for (size_t i = 0; i < kIsaCount; ++i) {
      if (kIsas[i].architecture != kThisArchitecture) {
        result[i] = std::string("it is for ") + architecture_row(kIsas[i].architecture).name + ", this machine is " +
                    architecture_row(kThisArchitecture).name;
        continue;
      }
      // The plainest that is missing says what is wrong.
      for (const IsaRow* row : isa_lineage(kIsas[i])) {
        if (result[i].empty()) result[i] = missing_cpu_features(row->cpu_features);
      }
    }
    return result;
  }();
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
    if (*isa_missing(i) || !generic_kernels_built_for(kIsas[i].name)) continue;
    names += (names.empty() ? "" : ", ") + std::string(kIsas[i].name);
  }
  return names.empty() ? "none" : names;
}

// `origin` is how the name was given, for the message.
size_t checked(const char* name, const std::string& origin) {
  for (size_t i = 0; i < kIsaCount; ++i) {
    if (std::strcmp(kIsas[i].name, name) != 0) continue;
    if (!generic_kernels_built_for(name)) {
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
    if (!*isa_missing(i) && generic_kernels_built_for(kIsas[i].name)) return i;
  }
  return kIsaCount;
}

size_t active() {
  const int index = forced.load(std::memory_order_acquire);
  if (index != kAutomatic) return size_t(index);
  if (const char* name = environment_choice()) return checked(name, " of the environment variable LOOKUPFFN_ISA");
  const size_t widest = widest_before(kIsaCount);
  if (widest < kIsaCount) return widest;
  size_t plainest = 0;
  while (kIsas[plainest].architecture != kThisArchitecture) ++plainest;
  throw Failure(LOOKUPFFN_UNSUPPORTED_ISA, "this machine runs no ISA that is built into this library; " +
                                               std::string(kIsas[plainest].name) + ": " + isa_missing(plainest));
}

}  // namespace

const char* isa_missing(size_t index) { return missing_features()[index].c_str(); }

size_t require_isa(const char* name) {
  const size_t index = name ? checked(name, "") : active();
  if (!isa_has(kIsas[index], kTiles) || ask_for_tiles()) return index;
  const bool automatic = !name && forced.load(std::memory_order_acquire) == kAutomatic && !environment_choice();
  const size_t narrower = widest_before(index);
  if (automatic && narrower < kIsaCount) return narrower;
  throw Failure(LOOKUPFFN_UNSUPPORTED_ISA,
                "ISA '" + std::string(kIsas[index].name) +
                    "': the operating system refuses tiles to this process (arch_prctl ARCH_REQ_XCOMP_PERM): a thread's "
                    "alternative signal stack (sigaltstack) is too small for them; enlarge it, or choose " +
                    (narrower < kIsaCount ? kIsas[narrower].name : "another machine"));
}

}  // namespace lookupffn

using namespace lookupffn;

extern "C" {

size_t lookupffn_isa_count(void) { return kIsaCount; }

lookupffn_status lookupffn_isa_at(size_t index, lookupffn_isa_info* info) {
  return guard([&] {
    if (!info) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_isa_at: info is NULL");
    if (index >= kIsaCount) {
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT,
                    "lookupffn_isa_at: index " + std::to_string(index) + " of " + std::to_string(kIsaCount) + " ISAs");
    }
    const IsaRow& isa = kIsas[index];
    size_t active_index = kIsaCount;
    try {
      active_index = active();
    } catch (const Failure&) {
      // A name in LOOKUPFFN_ISA that cannot be had: none is active, and the list is how a user finds out.
    }
    *info = {isa.name,
             isa.description,
             isa_missing(index),
             generic_kernels_built_for(isa.name) ? 1 : 0,
             *isa_missing(index) ? 0 : 1,
             index == active_index ? 1 : 0};
  });
}

lookupffn_status lookupffn_active_isa(const char** name) {
  return guard([&] {
    if (!name) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_active_isa: name is NULL");
    *name = kIsas[active()].name;
  });
}

lookupffn_status lookupffn_force_isa(const char* name) {
  return guard([&] { forced.store(name ? int(checked(name, "")) : kAutomatic, std::memory_order_release); });
}

}  // extern "C"
