#include "one_cpu_set.h"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace lookupffn::bench {

void pin_and_restart(size_t threads, char** argv) {
  cpu_set_t allowed, pinned;
  CPU_ZERO(&pinned);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    throw std::runtime_error(std::string("cannot read the CPU affinity mask: ") + std::strerror(errno));
  }
  const auto count = static_cast<size_t>(CPU_COUNT(&allowed));
  if (threads > count) {
    throw std::runtime_error("--threads " + std::to_string(threads) + ": this process may use " + std::to_string(count) +
                             (count == 1 ? " CPU" : " CPUs"));
  }
  size_t taken = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && taken < threads; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &pinned);
    ++taken;
  }
  if (sched_setaffinity(0, sizeof pinned, &pinned) != 0) {
    throw std::runtime_error(std::string("cannot pin the process to its CPUs: ") + std::strerror(errno));
  }
  const std::string wanted = std::to_string(threads);
  bool set = true;
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) {
    const char* value = std::getenv(name);
    set = set && value != nullptr && wanted == value;
    setenv(name, wanted.c_str(), 1);
  }
  const std::string core = openblas_core();
  if (!core.empty() && std::getenv("OPENBLAS_CORETYPE") == nullptr) {
    setenv("OPENBLAS_CORETYPE", core.c_str(), 1);
    set = false;
  }
  if (set) return;
  execv("/proc/self/exe", argv);
  throw std::runtime_error(std::string("cannot start this program again: ") + std::strerror(errno));
}

std::string openblas_core() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Zen 3 and 4 multiply AVX-512's vectors in halves: there Haswell's sgemm is faster, by 8 % on an EPYC of model 17.
  const bool halves = __builtin_cpu_is("amdfam19h");
  if (!halves && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return "SkylakeX";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return "";
}

}  // namespace lookupffn::bench
