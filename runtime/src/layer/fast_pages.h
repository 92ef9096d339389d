// Pages for memory that is read again and again.
#ifndef LOOKUPFFN_FAST_PAGES_H
#define LOOKUPFFN_FAST_PAGES_H

#include <cstddef>

#include "huge_memory.h"

namespace lookupffn {

// What choose_fast_pages found.
struct PageChoice {
  size_t sets = 0;  // of pages that were read and compared; 0: none were, the memory lies where the system put it
  double fastest_ns = 0, slowest_ns = 0;  // of one read of all the bytes, on the fastest and on the slowest set

  double spread() const { return sets > 0 ? slowest_ns / fastest_ns : 1; }
};

// Lays `bytes` of `memory` from `start` on, which nothing was written to yet, on the fastest of several sets of pages. They
// differ: pages whose physical addresses collide in a cache drive each other out, for as long as they are in use. That one
// process gets faster pages than the next made kernels up to 1.1 times as slow (docs/placement.md). Huge pages
// do not help in a virtual machine whose host has small ones. The whole pages around those bytes are exchanged, so nothing in
// them may have been written either. What the caches hold now is driven out, and the choice takes a few milliseconds. It is
// left out where it cannot pay: below kLeastBytes, which collide too rarely, above kMostBytes, which no second-level cache
// holds, and where the system cannot exchange pages. Never fails: without memory for other sets the first one stays.
PageChoice choose_fast_pages(const HugeMemory& memory, void* start, size_t bytes) noexcept;

constexpr size_t kLeastBytes = size_t(128) << 10, kMostBytes = size_t(4) << 20;

}  // namespace lookupffn
#endif
