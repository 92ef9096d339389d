// A forward allocates nothing after warm-up: the program's malloc and operator new count.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "test_kernels.h"
#include "test_shapes.h"

namespace {
std::atomic<size_t> allocations{0};
}

// What operator new and everything else in libstdc++ and glibc calls. The names with __libc are glibc's own.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
void* memalign(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : 12;
}
}

namespace lookupffn {
namespace {

TEST(Allocation, TheCountsCount) {
  const size_t before = allocations;
  std::vector<int>* vector = new std::vector<int>(1000);
  EXPECT_GE(allocations, before + 2);
  delete vector;
}

void expect_none(const lookupffn_shape& shape, lookupffn_kernels kernels) {
  const size_t most = 300;
  const checks::LayerCase layer(shape, 51, most);
  std::vector<float> y(most * (shape.d_out + 1)), score(most * shape.tables);
  std::vector<int32_t> code(most * shape.tables);
  for (const std::string& isa : checks::runnable_isas()) {
    const Layer packed = layer.pack({isa, kernels});
    const Threads pools[] = {Threads(1), Threads(2)};
    const auto run = [&](const Threads* threads) {
      lookupffn_threads* const handle = threads ? threads->get() : nullptr;
      bool ok = true;
      for (const size_t count : {300, 1, 7, 128}) {
        ok = ok && lookupffn_forward(packed.get(), handle, layer.x().data(), ptrdiff_t(shape.d_in), y.data(),
                                     ptrdiff_t(shape.d_out + 1), count, 0) == LOOKUPFFN_OK;
        ok = ok && lookupffn_hash(packed.get(), handle, layer.x().data(), ptrdiff_t(shape.d_in), code.data(), score.data(),
                                  count) == LOOKUPFFN_OK;
        ok = ok && lookupffn_gather(packed.get(), handle, code.data(), score.data(), y.data(), ptrdiff_t(shape.d_out), count) ==
                       LOOKUPFFN_OK;
      }
      return ok;
    };
    for (const Threads* threads : {static_cast<const Threads*>(nullptr), &pools[0], &pools[1]}) {
      SCOPED_TRACE(checks::describe(shape) + ", " + isa + ", " + (threads ? std::to_string(threads->count()) : "default") +
                   " threads");
      ASSERT_TRUE(run(threads)) << lookupffn_last_message();
      const size_t before = allocations;
      const bool ok = run(threads);
      EXPECT_EQ(allocations, before);
      EXPECT_TRUE(ok);
    }
  }
}

TEST(Allocation, GenericForwardAllocatesNothing) {
  expect_none(reference::bh4_shape(192, 192, 33, 8, 16), LOOKUPFFN_GENERIC_KERNELS);
  expect_none(reference::dense_shape(33, 17, 5, 7), LOOKUPFFN_GENERIC_KERNELS);
}

TEST(Allocation, SpecialisedForwardAllocatesNothing) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  for (const std::string& shape : kTestShapes) expect_none(checks::shape_from(shape), LOOKUPFFN_SPECIALISED_KERNELS);
}

}  // namespace
}  // namespace lookupffn
