#include "native_build.h"

#include <fstream>
#include <set>
#include <sstream>

namespace lookupffn::bench {

std::string native_build_missing() {
  std::istringstream built_on(LOOKUPFFN_BENCH_BUILD_CPU_FLAGS);
  std::set<std::string> here;
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; here.empty() && std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) here.insert(word);
  }
  if (here.empty()) return "it is built for the build machine's CPU, and this CPU's features cannot be read";
  for (std::string word; built_on >> word;) {
    if (here.count(word) == 0) return "it is built for a CPU with " + word + ", which this one lacks: build it here";
  }
  return "";
}

}  // namespace lookupffn::bench
