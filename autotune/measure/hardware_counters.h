// What a CPU counts while a kernel runs, where the system lets a program read it (Linux's perf_event_open).
#ifndef LOOKUPFFN_HARDWARE_COUNTERS_H
#define LOOKUPFFN_HARDWARE_COUNTERS_H

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lookupffn {

// An event in the words of perf_event_open(2): perf_event_attr's type and config.
struct CounterEvent {
  const char* name;  // "cycles", "instructions", "l2_misses", "l3_misses", "tlb_misses", "page_faults"
  uint32_t type;
  uint64_t config;
};

// Where counters are opened and read; tests put another in the system's place.
class CounterSource {
 public:
  virtual ~CounterSource() = default;
  // A handle of a counter of this thread in user mode that counts from now on; or the negative number of an error.
  virtual int open(const CounterEvent& event) = 0;
  // What it has counted; where it shared the CPU's few counters with others, scaled up. False where it cannot be read.
  virtual bool read(int handle, double* count) = 0;
  virtual void close(int handle) = 0;
};

// The system's. On others than Linux every event is refused with ENOSYS.
CounterSource& system_counters();

// The events for this CPU. Those of the second-level cache have no common name: they are left out where the CPU is not known.
std::vector<CounterEvent> counter_events();

class HardwareCounters {
 public:
  explicit HardwareCounters(CounterSource& source, const std::vector<CounterEvent>& events = counter_events());
  ~HardwareCounters();
  HardwareCounters(const HardwareCounters&) = delete;
  HardwareCounters& operator=(const HardwareCounters&) = delete;

  // What this thread counted during work(), by event; without those that could not be had.
  std::map<std::string, double> count(const std::function<void()>& work);

  // One line: why hardware's counters cannot be had, and what would help; "" where the cycles are counted.
  const std::string& missing() const { return missing_; }

 private:
  struct Open {
    std::string name;
    int handle;
  };
  CounterSource& source_;
  std::vector<Open> open_;
  std::string missing_;
};

// What the number of an error means for someone who wants counters, and the remedy.
std::string counter_fault(int error);

}  // namespace lookupffn
#endif
