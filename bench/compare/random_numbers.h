// Numbers that are the same in every run and on every platform.
#ifndef LOOKUPFFN_BENCH_RANDOM_NUMBERS_H
#define LOOKUPFFN_BENCH_RANDOM_NUMBERS_H

#include <cmath>
#include <cstdint>

namespace lookupffn::bench {

class RandomNumbers {  // splitmix64
 public:
  explicit RandomNumbers(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }  // [0, 1)
  // Mean 0, the given standard deviation, evenly distributed: what weights and inputs are made of.
  float spread(float deviation) { return (uniform() - 0.5f) * 3.4641016f * deviation; }
  float normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.2831853f * uniform()); }

 private:
  uint64_t state_;
};

}  // namespace lookupffn::bench
#endif
