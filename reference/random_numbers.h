// Numbers to test with, the same of a seed on every machine: the standard distributions differ between standard libraries.
#ifndef LOOKUPFFN_REFERENCE_RANDOM_NUMBERS_H
#define LOOKUPFFN_REFERENCE_RANDOM_NUMBERS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lookupffn::reference {

class RandomNumbers {
 public:
  explicit RandomNumbers(uint64_t seed) : state_(seed) {}

  // Mean 0, variance 1, near normal.
  float normal();
  std::vector<float> normals(size_t count, double deviation, double mean = 0);

 private:
  uint64_t next();
  uint64_t state_;
};

// Rows of x [tokens, d_in], each with an offset and a scale of its own.
std::vector<float> random_tokens(size_t tokens, size_t d_in, uint64_t seed);

}  // namespace lookupffn::reference
#endif
