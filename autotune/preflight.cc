#include "preflight.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>

#include "jump_proof_clock.h"

namespace lookupffn {
namespace {

// Load that other programs cause and measurements feel.
constexpr double kQuietLoad = 0.3;
constexpr double kQuietNoise = 0.05;

std::string first_word(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// "1" where the system says that frequencies are boosted, "0" where not, "" where it says nothing.
std::string turbo_state() {
  const std::string intel = first_word("/sys/devices/system/cpu/intel_pstate/no_turbo");
  if (!intel.empty()) return intel == "0" ? "1" : "0";
  return first_word("/sys/devices/system/cpu/cpufreq/boost");
}

double fixed_loop_noise() {
  using Clock = JumpProofClock;
  std::vector<double> times;
  uint64_t state = 1;
  const auto start = Clock::now();
  do {
    const auto before = Clock::now();
    for (int i = 0; i < 200000; ++i) state = state * 6364136223846793005u + 1442695040888963407u;
    times.push_back(std::chrono::duration<double>(Clock::now() - before).count());
  } while (times.size() < 400 && Clock::now() - start < std::chrono::milliseconds(200));
  volatile uint64_t keep = state;
  (void)keep;
  std::sort(times.begin(), times.end());
  const double middle = times[times.size() / 2], high = times[times.size() * 9 / 10];
  return middle > 0 ? high / middle - 1 : 0;
}

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", value);
  return text;
}

}  // namespace

std::vector<std::string> machine_warnings(const Machine& machine, int threads, const std::string& turbo, double noise) {
  std::vector<std::string> warnings;
  if (machine.load > kQuietLoad) {
    warnings.push_back("other programs keep this machine busy (load " + rounded(machine.load) +
                       "): end them, or trust small gains less");
  }
  if (!machine.governor.empty() && machine.governor != "performance") {
    warnings.push_back("the frequency governor is '" + machine.governor +
                       "': `cpupower frequency-set -g performance` holds the clock still");
  }
  if (turbo == "1") {
    warnings.push_back(
        "turbo is on: the clock depends on heat and on the other cores; kernels are timed in turn, "
        "so that only fast changes matter");
  }
  if (noise > kQuietNoise) {
    warnings.push_back("a fixed loop's time varies by " + rounded(noise * 100) +
                       "%: gains smaller than that take more samples than there are");
  }
  if (threads > machine.threads) {
    warnings.push_back("--threads " + std::to_string(threads) + " is more than the " + std::to_string(machine.threads) +
                       " that this process may use");
  }
  return warnings;
}

Preflight check_machine(const Machine& machine, int threads) {
  Preflight preflight;
  preflight.noise = fixed_loop_noise();
  preflight.warnings = machine_warnings(machine, threads, turbo_state(), preflight.noise);
  return preflight;
}

}  // namespace lookupffn
