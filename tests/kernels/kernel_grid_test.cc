// Generic kernels against the reference, over a grid of shapes on every ISA of this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "layer_check.h"
#include "load.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "sanitized.h"

namespace lookupffn {
namespace {

using checks::LayerCase;
using checks::Variant;
using reference::bh4_shape;
using reference::dense_shape;

constexpr size_t kWidths[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128, 192, 256, 300, 768, 1000};
constexpr size_t kOutputs[] = {1, 5, 15, 16, 17, 31, 33, 64, 100, 128, 129, 144, 512};
constexpr size_t kLargestTables = size_t(1) << 20;  // floats of a random case's tables

uint64_t base_seed() {
  const char* text = std::getenv("LOOKUPFFN_TEST_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 20240;
}

// Sizes that a width is tried with: drawn, but with everything that is drawn tried often.
class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}

  size_t below(size_t end) { return size_t(random_() % end); }

  lookupffn_shape shape(lookupffn_projection projection, size_t d_in, size_t block) {
    const size_t d_out = below(4) == 0 ? d_in : kOutputs[below(std::size(kOutputs))];
    size_t tables = 1 + below(40), bits = 1 + below(10);
    // A few very wide codes, few rows elsewhere.
    if (below(8) == 0) bits = 11 + below(6);
    while ((tables << bits) * d_out > kLargestTables) (tables > 1 && below(2) ? tables : bits) -= 1;
    if (bits == 0) bits = 1;
    lookupffn_shape shape =
        projection == LOOKUPFFN_DENSE ? dense_shape(d_in, d_out, tables, bits) : bh4_shape(d_in, d_out, tables, bits, block);
    if (projection == LOOKUPFFN_BH4) shape.decay = kDecays[below(std::size(kDecays))];
    if (below(3) == 0) shape.layer_norm_eps = 1e-2f;
    return shape;
  }

 private:
  static constexpr float kDecays[] = {0, 0.5f, 0.7f, 1};
  std::mt19937_64 random_;
};

class KernelGrid : public testing::TestWithParam<size_t> {
 protected:
  // All ISAs; f32 tables and projection, and one other type of each in turn.
  void check(const lookupffn_shape& shape, uint64_t seed, const std::vector<size_t>& counts) {
    const LayerCase layer(shape, seed, counts.empty() ? 1 : *std::max_element(counts.begin(), counts.end()));
    for (const std::string& isa : checks::runnable_isas()) {
      layer.check({isa, LOOKUPFFN_GENERIC_KERNELS, LOOKUPFFN_F32, LOOKUPFFN_F32}, counts);
      const std::vector<lookupffn_type> types = checks::table_types();
      layer.check(
          {isa, LOOKUPFFN_GENERIC_KERNELS, types[1 + seed % (types.size() - 1)], seed % 3 ? LOOKUPFFN_BF16X3 : LOOKUPFFN_BF16},
          counts);
    }
  }
};

TEST_P(KernelGrid, AgreesWithTheReference) {
  const size_t d_in = GetParam();
  const uint64_t seed = base_seed() + 1000 * d_in;
  std::printf("seed %llu\n", static_cast<unsigned long long>(base_seed()));
  Draw draw(seed);
  std::vector<lookupffn_shape> shapes = {draw.shape(LOOKUPFFN_DENSE, d_in, 0), draw.shape(LOOKUPFFN_DENSE, d_in, 0)};
  const size_t p = reference::padded_width(shapes[0]);
  std::vector<size_t> blocks = {1, p};
  if (p >= 4) blocks.push_back(size_t(2) << draw.below(size_t(__builtin_ctzll(p)) - 1));
  if (p >= 128) blocks.push_back(64);
  for (const size_t block : blocks) shapes.push_back(draw.shape(LOOKUPFFN_BH4, d_in, block));
  for (size_t k = 0; k < shapes.size(); ++k) {
    if ((k + d_in) % checks::case_step() != 0) continue;
    check(shapes[k], seed + k, checks::token_counts());
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, KernelGrid, testing::ValuesIn(kWidths), testing::PrintToStringParamName());

// Shapes that decide something by themselves: repeats, codes that straddle two of them, the last repeat in use
// for one code only, every number of bits.
class KernelShapes : public KernelGrid {};

TEST_F(KernelShapes, SeveralRepeats) {
  check(bh4_shape(16, 17, 7, 5, 4), 1, checks::token_counts());      // 35 of 48: bits 5 straddle 16
  check(bh4_shape(32, 33, 40, 7, 32), 2, checks::token_counts());    // 280 of 288
  check(bh4_shape(64, 16, 33, 2, 1), 3, checks::token_counts());     // 66: two outputs of the second repeat
  check(bh4_shape(24, 24, 11, 3, 8), 4, checks::token_counts());     // 33: one output of the second repeat
  check(bh4_shape(128, 100, 40, 8, 16), 5, checks::token_counts());  // 320 = 2.5 repeats
  check(bh4_shape(1, 3, 5, 3, 1), 6, checks::token_counts());        // p = 1: fifteen repeats of a 1 x 1 block
  check(bh4_shape(5, 8, 9, 4, 2), 7, checks::token_counts());        // p = 8: multiplied out
  check(bh4_shape(8, 8, 1, 1, 8), 8, checks::token_counts());
}

TEST_F(KernelShapes, EveryNumberOfBits) {
  for (size_t bits = 1; bits <= 16; ++bits) {
    if (bits % checks::case_step() != 0) continue;
    const size_t tables = bits > 12 ? 2 : 5;
    check(bh4_shape(40, 9, tables, bits, 16), 100 + bits, {1, 9, 130});
    check(dense_shape(40, 9, tables, bits), 200 + bits, {1, 9, 130});
  }
}

// Rows that end within and at a group of columns of each type.
TEST_F(KernelShapes, RowsThatNeedNoRounding) {
  for (const size_t d_out : {1, 16, 17, 33, 48, 64, 100, 128, 192, 200, 384}) {
    for (const lookupffn_type type : checks::table_types()) {
      const LayerCase layer(checks::with_exact_tables(reference::random_layer(dense_shape(9, d_out, 19, 3), d_out), type),
                            d_out, 130);
      for (const std::string& isa : checks::runnable_isas()) {
        layer.check({isa, LOOKUPFFN_GENERIC_KERNELS, type, LOOKUPFFN_F32}, {1, 9, 130}, true);
      }
    }
  }
}

TEST_F(KernelShapes, Largest) {
  check(dense_shape(8192, 16, 3, 4), 301, {1, 9});
  check(bh4_shape(8192, 33, 5, 5, 64), 302, {1, 9});
  check(bh4_shape(8191, 1, 3, 3, 1), 303, {1, 9});
  check(bh4_shape(4097, 5, 3, 4, 512), 304, {1, 3});
  check(dense_shape(5, 8192, 3, 2), 305, {1, 9, 130});
  check(dense_shape(12, 16, 4096, 1), 306, {1, 9, 130});
  check(bh4_shape(64, 16, 4096, 1, 16), 307, {1, 9, 130});  // 64 repeats
  check(bh4_shape(100, 3, 4096, 3, 8), 308, {1, 9});        // 96 repeats, codes that straddle them
  check(dense_shape(16, 1, 4, 16), 309, {1, 9, 130});
  check(bh4_shape(2048, 16, 2, 2, 2048), 310, {1, 3});  // one block
}

// Offsets within tables that pass 2^31 bytes, and 2^31 elements of a smaller type.
TEST_F(KernelShapes, TablesBeyondTwoGibibytes) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's shadow memory makes this too large";
  if (!checks::memory_for_huge_tables()) GTEST_SKIP() << "less than 6 GiB of memory is free";
  checks::check_huge_tables(LOOKUPFFN_GENERIC_KERNELS, checks::runnable_isas());
}

}  // namespace
}  // namespace lookupffn
