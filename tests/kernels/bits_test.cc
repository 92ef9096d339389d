// A token's bits depend neither on the batch that it came in, nor on its place in it, nor on the threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "layer_check.h"
#include "load.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "test_bf16_kernels.h"
#include "test_kernels.h"
#include "test_shapes.h"

namespace lookupffn {
namespace {

// Past the tail of a second tile of any schedule.
constexpr size_t kTokens = 300;

// An application's pool: one std::thread a task, in falling order, so that order and threads differ from ours.
void thread_each(void*, size_t count, void (*task)(void*, size_t), void* data) {
  std::vector<std::thread> threads;
  for (size_t i = count; i-- > 0;) threads.emplace_back(task, data, i);
  for (std::thread& thread : threads) thread.join();
}

struct Results {
  std::vector<int32_t> code;
  std::vector<float> score, y;
};

class Bits {
 public:
  Bits(const checks::LayerCase& layer, const checks::Variant& variant)
      : packed_(layer.pack(variant)), x_(layer.x()), shape_(layer.shape()) {
    // What a token gives alone, on one thread.
    const Threads one(1);
    for (size_t n = 0; n < kTokens; ++n) {
      const Results token = run(one, n, 1);
      alone_.code.insert(alone_.code.end(), token.code.begin(), token.code.end());
      alone_.score.insert(alone_.score.end(), token.score.begin(), token.score.end());
      alone_.y.insert(alone_.y.end(), token.y.begin(), token.y.end());
    }
  }

  // Tokens first..first+count-1 in one batch give what each gives alone.
  void expect_same(const Threads& threads, size_t first, size_t count) {
    const Results batch = run(threads, first, count);
    for (size_t k = 0; k < count; ++k) {
      const size_t n = first + k;
      const std::string changed = !equal(batch.code, k, alone_.code, n, shape_.tables)     ? "codes"
                                  : !equal(batch.score, k, alone_.score, n, shape_.tables) ? "scores"
                                  : !equal(batch.y, k, alone_.y, n, shape_.d_out)          ? "y"
                                                                                           : "nothing";
      ASSERT_EQ(changed, "nothing") << "of token " << k << " of " << count << " on " << threads.count() << " threads";
    }
  }

 private:
  Results run(const Threads& threads, size_t first, size_t count) {
    Results results{std::vector<int32_t>(count * shape_.tables), std::vector<float>(count * shape_.tables),
                    std::vector<float>(count * shape_.d_out)};
    const float* x = &x_[first * shape_.d_in];
    packed_.hash(&threads, x, ptrdiff_t(shape_.d_in), results.code.data(), results.score.data(), count);
    packed_.forward(threads, x, ptrdiff_t(shape_.d_in), results.y.data(), ptrdiff_t(shape_.d_out), count);
    return results;
  }

  template <class Value>
  static bool equal(const std::vector<Value>& a, size_t k, const std::vector<Value>& b, size_t n, size_t width) {
    return std::memcmp(&a[k * width], &b[n * width], width * sizeof(Value)) == 0;
  }

  const Layer packed_;
  const std::vector<float>& x_;
  const lookupffn_shape& shape_;
  Results alone_;
};

void expect_same_bits(const lookupffn_shape& shape, lookupffn_kernels kernels,
                      const std::vector<lookupffn_type>& table_types = checks::table_types(),
                      lookupffn_type projection_type = LOOKUPFFN_F32) {
  const checks::LayerCase layer(shape, 11, kTokens);
  const Threads one(1);
  std::vector<Threads> pools;  // the library's, then an application's
  const std::vector<size_t> ours = {1, 2, 3, 5}, theirs = {2, 3, 7}, third = {3};
  for (const size_t count : checks::emulated() ? third : ours) pools.emplace_back(count);
  for (const size_t count : checks::emulated() ? third : theirs) pools.emplace_back(thread_each, nullptr, count);
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type type : table_types) {
      const checks::Variant variant{isa, kernels, type, projection_type};
      SCOPED_TRACE(checks::describe(shape) + ", " + checks::describe(variant));
      Bits bits(layer, variant);
      // On one thread, every count around every tile and batch class, at places that change.
      const bool some = checks::case_step() > 1;
      for (size_t count = 1; count <= kTokens && !testing::Test::HasFailure(); count += some ? 13 : count < 70 ? 1 : 7) {
        bits.expect_same(one, (count * 37) % (kTokens - count + 1), count);
      }
      for (const size_t count : {127, 128, 129, 255, 256, 257}) bits.expect_same(one, kTokens - count, count);
      for (const Threads& threads : pools) {
        for (const size_t count : {1, 2, 3, 5, 16, 31, 32, 33, 63, 96, 127, 128, 131, 300}) {
          bits.expect_same(threads, (count * 11) % (kTokens - count + 1), count);
        }
      }
      if (testing::Test::HasFailure()) return;
    }
  }
}

class GenericBits : public testing::TestWithParam<lookupffn_shape> {};

TEST_P(GenericBits, DoNotDependOnBatchOrThreads) { expect_same_bits(GetParam(), LOOKUPFFN_GENERIC_KERNELS); }

// The last two are large enough that several threads share one token.
INSTANTIATE_TEST_SUITE_P(Shapes, GenericBits,
                         testing::Values(reference::dense_shape(33, 17, 5, 7), reference::bh4_shape(48, 48, 40, 4, 64),
                                         reference::bh4_shape(16, 31, 7, 5, 4), reference::dense_shape(300, 272, 24, 6),
                                         reference::bh4_shape(256, 400, 33, 8, 16)),
                         [](const testing::TestParamInfo<lookupffn_shape>& info) { return std::to_string(info.index); });

class SpecialisedBits : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedBits, DoNotDependOnBatchOrThreads) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  expect_same_bits(checks::shape_from(GetParam()), LOOKUPFFN_SPECIALISED_KERNELS);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedBits, testing::ValuesIn(std::begin(kTestShapes), std::end(kTestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

class SpecialisedBf16Bits : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedBf16Bits, DoNotDependOnBatchOrThreads) {
  ASSERT_EQ(test_bf16_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  for (const lookupffn_type projection_type : {LOOKUPFFN_BF16, LOOKUPFFN_BF16X3}) {
    expect_same_bits(checks::shape_from(GetParam()), LOOKUPFFN_SPECIALISED_KERNELS, {LOOKUPFFN_F32}, projection_type);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedBf16Bits, testing::ValuesIn(std::begin(kBf16TestShapes), std::end(kBf16TestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace lookupffn
