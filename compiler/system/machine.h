// The machine that this program runs on, as far as schedules depend on it.
#ifndef LOOKUPFFN_MACHINE_H
#define LOOKUPFFN_MACHINE_H

#include <cstdint>
#include <string>

namespace lookupffn {

struct Machine {
  std::string cpu;        // "Intel(R) Xeon(R) Processor (family 6, model 143)"; virtual machines hide the name
  bool emulated = false;  // an emulator of programs (qemu-aarch64) runs this one: cpu and caches are its host's
  std::string caches;     // "L1d 48 KiB, L2 2048 KiB, L3 107520 KiB", per instance, as far as known
  int threads = 0;        // how many threads a program may use, as the runtime counts them
  int cores = 0;          // logical CPUs that are online
  int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // 0 where not known
  std::string governor;                               // frequency governor of CPU 0, "" where the system does not say
  double load = 0;                                    // 1 minute load average
};

// Asks the operating system now. What it does not say is left empty.
Machine this_machine();

// A CPU's name in a form for file names: "intel-xeon-processor-family-6-model-143".
std::string cpu_key(const std::string& cpu);

}  // namespace lookupffn
#endif
