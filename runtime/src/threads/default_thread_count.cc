#include "default_thread_count.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace lookupffn {
namespace {

size_t affinity_count() noexcept {
  // The mask can be larger than cpu_set_t on large machines.
  for (size_t cpus = 1024; cpus <= (size_t(1) << 20); cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(cpus);
    const bool ok = sched_getaffinity(0, size, set) == 0;
    const int count = ok ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (ok && count > 0) return size_t(count);
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

// CPUs that a quota amounts to, rounded up; 0 where there is none.
size_t quota_count(double quota, double period) {
  return quota > 0 && period > 0 ? size_t(std::max(1.0, std::ceil(quota / period))) : 0;
}

size_t cgroup_v2_count(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max") return 0;
  return quota_count(std::atof(quota.c_str()), period);
}

size_t cgroup_v1_count(const std::string& directory) {
  double quota = 0, period = 0;
  std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  return quota_count(quota, period);
}

// The tightest limit of this process's cgroup and those above it.
size_t cgroup_count() {
  size_t least = 0;
  const auto take = [&](size_t count) {
    if (count > 0) least = least == 0 ? count : std::min(least, count);
  };
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    std::string path = line.substr(second + 1);
    for (;;) {
      take(v2 ? cgroup_v2_count("/sys/fs/cgroup" + path) : cgroup_v1_count("/sys/fs/cgroup/cpu" + path));
      if (path.empty() || path == "/") break;
      path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  }
  return least;
}

}  // namespace

size_t default_thread_count() noexcept {
  const size_t allowed = affinity_count();
  try {
    const size_t limit = cgroup_count();
    return limit > 0 ? std::min(allowed, limit) : allowed;
  } catch (...) {
    return allowed;
  }
}

}  // namespace lookupffn
