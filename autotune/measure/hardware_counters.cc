#include "hardware_counters.h"

#include <cerrno>
#include <cstring>

#if defined(__linux__)
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lookupffn {
namespace {

#if defined(__linux__)
class SystemCounters final : public CounterSource {
 public:
  int open(const CounterEvent& event) override {
    perf_event_attr attributes = {};
    attributes.size = sizeof attributes;
    attributes.type = event.type;
    attributes.config = event.config;
    attributes.exclude_kernel = 1;  // what an ordinary user may count
    attributes.exclude_hv = 1;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    const long handle = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return handle < 0 ? -errno : int(handle);
  }
  bool read(int handle, double* count) override {
    uint64_t values[3];  // the count, nanoseconds that it was wanted, nanoseconds that it ran
    if (::read(handle, values, sizeof values) != ssize_t(sizeof values)) return false;
    if (values[2] == 0 && values[1] != 0) return false;  // it never had its turn
    *count = double(values[0]) * (values[2] ? double(values[1]) / double(values[2]) : 1);
    return true;
  }
  void close(int handle) override { ::close(handle); }
};
#else
class SystemCounters final : public CounterSource {
 public:
  int open(const CounterEvent&) override { return -ENOSYS; }
  bool read(int, double*) override { return false; }
  void close(int) override {}
};
#endif

}  // namespace

CounterSource& system_counters() {
  static SystemCounters counters;
  return counters;
}

std::vector<CounterEvent> counter_events() {
#if defined(__linux__)
  const auto cache_misses = [](uint64_t cache) {
    return cache | (uint64_t(PERF_COUNT_HW_CACHE_OP_READ) << 8) | (uint64_t(PERF_COUNT_HW_CACHE_RESULT_MISS) << 16);
  };
  std::vector<CounterEvent> events = {
      {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
      {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
      {"l3_misses", PERF_TYPE_HW_CACHE, cache_misses(PERF_COUNT_HW_CACHE_LL)},
      {"tlb_misses", PERF_TYPE_HW_CACHE, cache_misses(PERF_COUNT_HW_CACHE_DTLB)},
      {"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
  };
#if defined(__x86_64__)
  __builtin_cpu_init();
  // AMD's 64h, lines and code that the second-level cache lacks; Intel's 24h, all requests that miss it.
  if (__builtin_cpu_is("amd")) events.push_back({"l2_misses", PERF_TYPE_RAW, 0x0964});
  if (__builtin_cpu_is("intel")) events.push_back({"l2_misses", PERF_TYPE_RAW, 0x3f24});
#endif
  return events;
#else
  return {{"cycles", 0, 0}};
#endif
}

std::string counter_fault(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
      return "this machine offers none, as most virtual machines: measure on the machine itself, or give the virtual one a PMU";
    case EACCES:
    case EPERM:
      return "this user may not read them: `sysctl kernel.perf_event_paranoid=2` or less as root, or CAP_PERFMON; in a "
             "container its profile must allow perf_event_open";
    case ENOSYS:
      return "the system has no perf_event_open: use a Linux kernel with CONFIG_PERF_EVENTS, outside of sandboxes that take it "
             "away";
    case EMFILE:
    case ENFILE:
      return "too many files are open: raise `ulimit -n`";
    case EBUSY:
      return "another program has taken them for itself: end it (a profiler, the kernel's NMI watchdog)";
    default:
      return std::string("perf_event_open: ") + std::strerror(error);
  }
}

HardwareCounters::HardwareCounters(CounterSource& source, const std::vector<CounterEvent>& events) : source_(source) {
  for (const CounterEvent& event : events) {
    const int handle = source_.open(event);
    if (handle >= 0) {
      open_.push_back({event.name, handle});
    } else if (std::strcmp(event.name, "cycles") == 0) {
      missing_ = "no hardware counters: " + counter_fault(-handle);
    }
  }
}

HardwareCounters::~HardwareCounters() {
  for (const Open& one : open_) source_.close(one.handle);
}

std::map<std::string, double> HardwareCounters::count(const std::function<void()>& work) {
  std::vector<double> before(open_.size(), -1);
  for (size_t i = 0; i < open_.size(); ++i) {
    if (!source_.read(open_[i].handle, &before[i])) before[i] = -1;
  }
  work();
  std::map<std::string, double> counts;
  for (size_t i = 0; i < open_.size(); ++i) {
    double after = 0;
    // A scaled count may step back a little.
    if (before[i] >= 0 && source_.read(open_[i].handle, &after))
      counts[open_[i].name] = after > before[i] ? after - before[i] : 0;
  }
  return counts;
}

}  // namespace lookupffn
