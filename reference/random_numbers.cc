#include "reference/random_numbers.h"

#include <cmath>

namespace lookupffn::reference {

uint64_t RandomNumbers::next() {  // SplitMix64
  state_ += 0x9e3779b97f4a7c15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The sum of three uniform numbers of variance 1/3.
float RandomNumbers::normal() {
  double sum = 0;
  for (int i = 0; i < 3; ++i) sum += static_cast<double>(next() >> 11) * 0x1p-52 - 1.0;
  return static_cast<float>(sum);
}

std::vector<float> RandomNumbers::normals(size_t count, double deviation, double mean) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(mean + deviation * normal());
  return values;
}

std::vector<float> random_tokens(size_t tokens, size_t d_in, uint64_t seed) {
  RandomNumbers random(seed);
  std::vector<float> x;
  x.reserve(tokens * d_in);
  for (size_t n = 0; n < tokens; ++n) {
    const double offset = 0.5 * random.normal();
    const double scale = std::exp2(random.normal());
    for (float value : random.normals(d_in, scale, offset)) x.push_back(value);
  }
  return x;
}

}  // namespace lookupffn::reference
