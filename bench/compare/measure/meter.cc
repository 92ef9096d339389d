#include "meter.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "measuring_clock.h"

namespace lookupffn::bench {
namespace {

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * (values.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - below) * (values[above] - values[below]);
}

long interruptions() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

}  // namespace

void Meter::sample() {
  constexpr int kTries = 3;
  double best = 0;
  long fewest = -1;
  for (int i = 0; i < kTries && fewest != 0; ++i) {
    const long before = interruptions();
    const double value = sample_();
    const long during = interruptions() - before;
    if (fewest >= 0 && during >= fewest) continue;
    best = value;
    fewest = during;
  }
  values_.push_back(best);
}

double Meter::median() const { return quantile(values_, 0.5); }

double Meter::spread() const { return (quantile(values_, 0.75) - quantile(values_, 0.25)) / median(); }

void sample_in_turn(const std::vector<Meter*>& meters, size_t rounds, size_t threads) {
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < meters.size(); ++i) {
      if (threads > 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      meters[(i + round) % meters.size()]->sample();
    }
  }
}

std::function<double()> time_calls(std::function<void(size_t first)> call, size_t tokens, size_t ring_tokens, size_t threads) {
  const auto now = [threads] { return measuring_clock(threads); };
  auto next = std::make_shared<size_t>(0);
  const auto step = [call, next, tokens, ring_tokens] {
    if (*next + tokens > ring_tokens) *next = 0;
    call(*next);
    *next += tokens;
  };
  step();  // first calls allocate
  double fastest = 1e9;
  double spent = 0;
  while (spent < 2e-3) {
    const double begin = now();
    step();
    const double seconds = now() - begin;
    fastest = std::min(fastest, seconds);
    spent += std::max(seconds, 1e-7);
  }
  // Contenders take turns, and each finds its weights and tables driven out by the others': the warm-up is long enough
  // to read 64 MB of rows back in, and never left out.
  constexpr double kSample = 5e-3, kWarmUp = 25e-3;
  const auto calls_of = [fastest](double seconds) {
    return std::max<size_t>(1, static_cast<size_t>(seconds / std::max(fastest, 1e-7)));
  };
  const size_t calls = calls_of(kSample), warm_up_calls = calls_of(kWarmUp);
  return [step, calls, warm_up_calls, tokens, now] {
    for (size_t i = 0; i < warm_up_calls; ++i) step();
    const double begin = now();
    for (size_t i = 0; i < calls; ++i) step();
    return (now() - begin) * 1e6 / static_cast<double>(calls * tokens);
  };
}

}  // namespace lookupffn::bench
