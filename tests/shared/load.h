// How much the tests do that try very many cases: all of them, or some where code runs many times slower than it is meant to.
#ifndef LOOKUPFFN_TESTS_LOAD_H
#define LOOKUPFFN_TESTS_LOAD_H

#include <cstddef>
#include <vector>

namespace lookupffn::checks {

// Does this program run under an emulator of its CPU? `emulator` of a cross build's tree says so, by LOOKUPFFN_EMULATED in the
// environment.
bool emulated();

// A test of very many cases tries every so many-th of them: 1, and more with a sanitizer or under an emulator. What decides a
// case by itself is tried everywhere. The first call prints a number that is not 1, and why.
size_t case_step();

// Numbers of tokens to run a layer with, in rising order: none, one, both sides of register tiles and of the batch classes, and
// the tail of a second tile. Fewer of each under an emulator.
const std::vector<size_t>& token_counts();

}  // namespace lookupffn::checks
#endif
