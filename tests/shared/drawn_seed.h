// The seed of what a test draws anew in each run.
#ifndef LOOKUPFFN_TESTS_DRAWN_SEED_H
#define LOOKUPFFN_TESTS_DRAWN_SEED_H

#include <cstdlib>
#include <iostream>
#include <random>

namespace lookupffn::checks {

// One for the whole run, printed; LOOKUPFFN_TEST_SEED repeats a run.
inline unsigned drawn_seed() {
  static const unsigned drawn = [] {
    const char* const given = std::getenv("LOOKUPFFN_TEST_SEED");
    const unsigned value = given ? unsigned(std::strtoul(given, nullptr, 10)) : std::random_device()();
    std::cout << "LOOKUPFFN_TEST_SEED=" << value << " repeats this run\n";
    return value;
  }();
  return drawn;
}

}  // namespace lookupffn::checks
#endif
