// One layer shared by many threads: the same bits as alone. Meant for the thread sanitizer, useful without.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "test_kernels.h"
#include "test_shapes.h"

namespace lookupffn {
namespace {

constexpr size_t kCallers = 4, kRounds = 6;
constexpr size_t kCounts[] = {1, 3, 40, 130};

enum class Pool { kDefault, kShared, kOwn };

// kCallers threads run forward and hash on the layer, each on tokens of its own.
void run_concurrently(const checks::LayerCase& layer, const Layer& packed, Pool pool) {
  const size_t d_in = layer.shape().d_in, d_out = layer.shape().d_out, tables = layer.shape().tables;
  const size_t most = 130;
  const Threads one(1), shared(3);
  std::vector<float> expected(layer.x().size() / d_in * d_out);
  packed.forward(one, layer.x().data(), expected.data(), layer.x().size() / d_in);
  std::vector<int32_t> expected_code(layer.x().size() / d_in * tables);
  packed.hash(&one, layer.x().data(), ptrdiff_t(d_in), expected_code.data(), nullptr, layer.x().size() / d_in);
  std::atomic<size_t> wrong{0};
  std::vector<std::thread> callers;
  for (size_t c = 0; c < kCallers; ++c) {
    callers.emplace_back([&, c] {
      const Threads own(2);
      const Threads* const threads = pool == Pool::kOwn ? &own : pool == Pool::kShared ? &shared : nullptr;
      std::vector<float> y(most * d_out);
      std::vector<int32_t> code(most * tables);
      for (size_t round = 0; round < kRounds; ++round) {
        for (const size_t count : kCounts) {
          const size_t first = (31 * c + 7 * round) % (layer.x().size() / d_in - count + 1);
          const float* x = &layer.x()[first * d_in];
          if (threads) {
            packed.forward(*threads, x, y.data(), count);
          } else {
            packed.forward(x, y.data(), count);
          }
          if (std::memcmp(y.data(), &expected[first * d_out], count * d_out * sizeof(float)) != 0) ++wrong;
          packed.hash(threads, x, ptrdiff_t(d_in), code.data(), nullptr, count);
          if (std::memcmp(code.data(), &expected_code[first * tables], count * tables * sizeof(int32_t)) != 0) ++wrong;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0u);
}

void share(const lookupffn_shape& shape, lookupffn_kernels kernels) {
  const checks::LayerCase layer(shape, 31, 160);
  for (const std::string& isa : checks::runnable_isas()) {
    SCOPED_TRACE(checks::describe(shape) + ", " + isa);
    const Layer packed = layer.pack({isa, kernels});
    for (const Pool pool : {Pool::kDefault, Pool::kShared, Pool::kOwn}) run_concurrently(layer, packed, pool);
  }
}

TEST(Concurrency, GenericLayerIsShared) {
  share(reference::bh4_shape(48, 48, 40, 4, 16), LOOKUPFFN_GENERIC_KERNELS);
  share(reference::dense_shape(100, 272, 24, 6), LOOKUPFFN_GENERIC_KERNELS);  // several threads share one token
}

TEST(Concurrency, SpecialisedLayerIsShared) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  share(checks::shape_from("d_in=48 d_out=48 tables=40 bits=4 projection=bh4 block=64"), LOOKUPFFN_SPECIALISED_KERNELS);
  share(checks::shape_from("d_in=192 d_out=192 tables=33 bits=8 projection=bh4 block=16"), LOOKUPFFN_SPECIALISED_KERNELS);
}

// Everything else that the header calls thread-safe, at the same time.
TEST(Concurrency, ModelsIsasAndRegistrations) {
  const checks::LayerCase layer(reference::dense_shape(33, 17, 5, 7), 41, 9);
  std::vector<float> expected(9 * 17);
  const std::string isa = active_isa();
  layer.pack({isa}).forward(layer.x().data(), expected.data(), 9);
  const std::vector<uint8_t> bytes = reference::model_bytes(layer.layer(), "", ElementType::kF32);
  std::atomic<size_t> wrong{0};
  std::vector<std::thread> threads;
  for (size_t c = 0; c < kCallers; ++c) {
    threads.emplace_back([&, c] {
      for (size_t round = 0; round < kRounds; ++round) {
        if (c == 0) test_kernels_register();
        if (c == 1 && lookupffn_force_isa(isa.c_str()) != LOOKUPFFN_OK) ++wrong;
        const Model model(bytes.data(), bytes.size());
        PackOptions options{};
        options.isa = isa.c_str();
        options.kernels = LOOKUPFFN_GENERIC_KERNELS;
        const Layer packed(model, "", options);
        std::vector<float> y(expected.size());
        packed.forward(layer.x().data(), y.data(), 9);
        if (y != expected) ++wrong;
        lookupffn_layer* none = nullptr;
        if (lookupffn_layer_pack(model.get(), "no such prefix", nullptr, &none) != LOOKUPFFN_NOT_FOUND) ++wrong;
        if (std::string(lookupffn_last_message()).find("no such prefix") == std::string::npos) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  unforce_isa();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace lookupffn
