// Every function of the C API with arguments that cannot be: a status and a message, outputs cleared, nothing written.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "lookupffn/kernels.h"
#include "lookupffn/lookupffn.hpp"
#include "small_layer.h"

namespace lookupffn::hostile {
namespace {

constexpr size_t kMost = std::numeric_limits<size_t>::max();
constexpr ptrdiff_t kFurthest = std::numeric_limits<ptrdiff_t>::max(), kNearest = std::numeric_limits<ptrdiff_t>::min();

// A failure has a status that says whose it is, and a message that names the function or the thing.
void expect_refused(lookupffn_status status, const std::string& what) {
  EXPECT_EQ(status, LOOKUPFFN_INVALID_ARGUMENT) << what;
  const std::string message = lookupffn_last_message();
  EXPECT_GT(message.size(), 10u) << what;
  EXPECT_EQ(message.find('\n'), std::string::npos) << what << ": " << message;
}

// Numbers that C may pass for an enumeration and C++ has no name for.
template <class Enumeration>
Enumeration enumeration(int number) {
  Enumeration value;
  static_assert(sizeof value == sizeof number, "C's enumerations are ints");
  std::memcpy(&value, &number, sizeof value);
  return value;
}

TEST(ApiMisuse, NullsEverywhere) {
  const SmallLayer small;
  const lookupffn_layer* const layer = small.layer.get();
  lookupffn_isa_info isa;
  lookupffn_shape shape;
  lookupffn_model* model = nullptr;
  lookupffn_threads* threads = nullptr;
  float x[200] = {}, y[300] = {};
  int32_t code[24] = {};
  float score[24] = {};
  expect_refused(lookupffn_isa_at(0, nullptr), "isa_at");
  expect_refused(lookupffn_isa_at(kMost, &isa), "isa_at");
  expect_refused(lookupffn_active_isa(nullptr), "active_isa");
  expect_refused(lookupffn_model_open(nullptr, &model), "open");
  expect_refused(lookupffn_model_open("x", nullptr), "open");
  expect_refused(lookupffn_model_open_memory(nullptr, 8, &model), "open_memory");
  expect_refused(lookupffn_model_open_memory(x, 8, nullptr), "open_memory");
  expect_refused(lookupffn_model_layer(nullptr, 0, &shape), "model_layer");
  expect_refused(lookupffn_model_layer(small.model.get(), 0, nullptr), "model_layer");
  expect_refused(lookupffn_model_layer(small.model.get(), kMost, &shape), "model_layer");
  lookupffn_layer* packed = nullptr;
  expect_refused(lookupffn_layer_pack(nullptr, "", nullptr, &packed), "pack");
  expect_refused(lookupffn_layer_pack(small.model.get(), "", nullptr, nullptr), "pack");
  lookupffn_layer_info info;
  expect_refused(lookupffn_layer_describe(nullptr, &info), "describe");
  expect_refused(lookupffn_layer_describe(layer, nullptr), "describe");
  expect_refused(lookupffn_threads_create(2, nullptr), "threads_create");
  expect_refused(lookupffn_threads_create(kMost, &threads), "threads_create");
  expect_refused(lookupffn_threads_wrap(nullptr, nullptr, 2, &threads), "threads_wrap");
  expect_refused(lookupffn_forward(nullptr, nullptr, x, 100, y, 272, 1, 0), "forward");
  expect_refused(lookupffn_forward(layer, nullptr, nullptr, 100, y, 272, 1, 0), "forward");
  expect_refused(lookupffn_forward(layer, nullptr, x, 100, nullptr, 272, 1, 0), "forward");
  expect_refused(lookupffn_hash(nullptr, nullptr, x, 100, code, score, 1), "hash");
  expect_refused(lookupffn_hash(layer, nullptr, nullptr, 100, code, score, 1), "hash");
  expect_refused(lookupffn_gather(nullptr, nullptr, code, score, y, 272, 1), "gather");
  expect_refused(lookupffn_gather(layer, nullptr, nullptr, score, y, 272, 1), "gather");
  expect_refused(lookupffn_gather(layer, nullptr, code, nullptr, y, 272, 1), "gather");
  expect_refused(lookupffn_gather(layer, nullptr, code, score, nullptr, 272, 1), "gather");
  expect_refused(lookupffn_register_kernels(nullptr), "register");
  expect_refused(lookupffn_load_kernels(nullptr, nullptr), "load");
  lookupffn_model_close(nullptr);
  lookupffn_layer_free(nullptr);
  lookupffn_threads_free(nullptr);
  EXPECT_EQ(lookupffn_model_layer_count(nullptr), 0u);
  EXPECT_GT(lookupffn_threads_count(nullptr), 0u);
  EXPECT_EQ(lookupffn_hash(layer, nullptr, x, 100, nullptr, nullptr, 1), LOOKUPFFN_OK) << "both outputs may be NULL";
}

TEST(ApiMisuse, NumbersThatAreNoEnumeration) {
  const SmallLayer small;
  for (const int number :
       {-1, int(lookupffn_type_count()), 127, 1 << 20, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    for (int field = 0; field < 3; ++field) {
      lookupffn_pack_options options{};
      if (field == 0) options.kernels = enumeration<lookupffn_kernels>(number);
      if (field == 1) options.table_type = enumeration<lookupffn_type>(number);
      if (field == 2) options.projection_type = enumeration<lookupffn_type>(number);
      lookupffn_layer* layer = reinterpret_cast<lookupffn_layer*>(1);
      expect_refused(lookupffn_layer_pack(small.model.get(), "", &options, &layer), "field " + std::to_string(field));
      EXPECT_EQ(layer, nullptr);
    }
    EXPECT_GT(std::strlen(lookupffn_status_name(enumeration<lookupffn_status>(number))), 0u);
  }
}

// Sizes, strides and flags in every combination: those that cannot be are refused before anything is read or written.
TEST(ApiMisuse, SizesStridesAndFlags) {
  const SmallLayer small;
  const ptrdiff_t strides[] = {0, 1, -1, 99, 100, 271, 272, -271, 1L << 40, kFurthest, kNearest, kNearest + 1, kFurthest / 4};
  const size_t counts[] = {2, 3, kMost, kMost / 2, size_t(1) << 62, size_t(1) << 40};
  float x[1], y[1] = {42};
  int32_t code[1] = {};
  size_t calls = 0;
  for (const size_t tokens : counts) {
    for (const ptrdiff_t y_stride : strides) {
      const size_t distance = y_stride < 0 ? size_t(0) - size_t(y_stride) : size_t(y_stride);
      const bool y_cannot_be = distance < 272 || tokens > size_t(kFurthest) / sizeof(float) / distance;
      for (const ptrdiff_t x_stride : strides) {
        const size_t x_distance = x_stride < 0 ? size_t(0) - size_t(x_stride) : size_t(x_stride);
        const bool x_cannot_be = x_distance != 0 && tokens > size_t(kFurthest) / sizeof(float) / x_distance;
        if (!x_cannot_be && !y_cannot_be) continue;  // it would run, over memory that is not there
        for (const unsigned flags : {0u, 2u, 0x80000000u, ~0u}) {
          ++calls;
          expect_refused(lookupffn_forward(small.layer.get(), nullptr, x, x_stride, y, y_stride, tokens, flags), "forward");
        }
        if (x_cannot_be) {
          expect_refused(lookupffn_hash(small.layer.get(), nullptr, x, x_stride, nullptr, nullptr, tokens), "hash");
        }
      }
      if (y_cannot_be) {
        expect_refused(lookupffn_gather(small.layer.get(), nullptr, code, x, y, y_stride, tokens), "gather");
      }
    }
  }
  EXPECT_GT(calls, 1000u);
  expect_refused(lookupffn_forward(small.layer.get(), nullptr, x, 100, y, 272, 1, LOOKUPFFN_ADD_RESIDUAL), "d_in is not d_out");
  EXPECT_EQ(y[0], 42) << "something was written";
}

TEST(ApiMisuse, NoTokensNeedNoPointers) {
  const SmallLayer small;
  EXPECT_EQ(lookupffn_forward(small.layer.get(), nullptr, nullptr, kNearest, nullptr, 0, 0, 0), LOOKUPFFN_OK);
  EXPECT_EQ(lookupffn_hash(small.layer.get(), nullptr, nullptr, kFurthest, nullptr, nullptr, 0), LOOKUPFFN_OK);
  EXPECT_EQ(lookupffn_gather(small.layer.get(), nullptr, nullptr, nullptr, nullptr, 0, 0), LOOKUPFFN_OK);
}

TEST(ApiMisuse, CodesThatAreNoRows) {
  const SmallLayer small;
  std::vector<int32_t> code(24 * 3, 0);
  const std::vector<float> score(24 * 3, 1.0f);
  std::vector<float> y(272 * 3);
  for (const int32_t wrong : {-1, 64, 65535, 65536, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    for (const size_t at : {size_t(0), size_t(23), size_t(71)}) {
      code[at] = wrong;
      expect_refused(lookupffn_gather(small.layer.get(), nullptr, code.data(), score.data(), y.data(), 272, 3), "gather");
      code[at] = 0;
    }
  }
}

TEST(ApiMisuse, NamesThatAreNone) {
  const SmallLayer small;
  const std::string names[] = {"", " ", "avx", "AVX2", std::string(100000, 'x'), "avx2\n", "\xff\xfe", "%s%n%s%n"};
  for (const std::string& name : names) {
    EXPECT_EQ(lookupffn_force_isa(name.c_str()), LOOKUPFFN_UNSUPPORTED_ISA) << name.substr(0, 20);
    lookupffn_pack_options options{};
    options.isa = name.c_str();
    lookupffn_layer* layer = nullptr;
    EXPECT_EQ(lookupffn_layer_pack(small.model.get(), "", &options, &layer), LOOKUPFFN_UNSUPPORTED_ISA) << name.substr(0, 20);
    if (!name.empty()) {
      EXPECT_EQ(lookupffn_layer_pack(small.model.get(), name.c_str(), nullptr, &layer), LOOKUPFFN_NOT_FOUND);
    }
    lookupffn_model* model = nullptr;
    EXPECT_EQ(lookupffn_model_open(name.c_str(), &model), LOOKUPFFN_IO_ERROR) << name.substr(0, 20);
    EXPECT_EQ(lookupffn_load_kernels((name + "/no such folder").c_str(), nullptr), LOOKUPFFN_IO_ERROR) << name.substr(0, 20);
  }
}

TEST(ApiMisuse, PoolsOfImpossibleSizes) {
  const lookupffn_parallel_for serial = [](void*, size_t count, void (*task)(void*, size_t), void* data) {
    for (size_t i = 0; i < count; ++i) task(data, i);
  };
  for (const size_t count : {size_t(0), size_t(4097), kMost}) {
    lookupffn_threads* threads = reinterpret_cast<lookupffn_threads*>(1);
    expect_refused(lookupffn_threads_wrap(serial, nullptr, count, &threads), "wrap");
    EXPECT_EQ(threads, nullptr);
  }
}

TEST(ApiMisuse, MessagesOfThreadsAreTheirOwn) {
  EXPECT_EQ(lookupffn_force_isa("nope"), LOOKUPFFN_UNSUPPORTED_ISA);
  const std::string before = lookupffn_last_message();
  std::string elsewhere = "not asked";
  std::thread([&] {
    elsewhere = lookupffn_last_message();
    EXPECT_EQ(lookupffn_isa_at(kMost, nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  }).join();
  EXPECT_EQ(elsewhere, "");
  EXPECT_EQ(lookupffn_last_message(), before);
}

TEST(ApiMisuse, KernelLibrariesOfAnotherAbi) {
  for (const uint32_t version : {0u, 1u, unsigned(LOOKUPFFN_KERNEL_ABI_VERSION) + 1, ~0u}) {
    // Nothing behind the version can be trusted, or looked at.
    const lookupffn_kernel_library library{version, ~0u, reinterpret_cast<const char*>(1),
                                           reinterpret_cast<const lookupffn_kernel*>(1)};
    EXPECT_EQ(lookupffn_register_kernels(&library), LOOKUPFFN_INCOMPATIBLE_KERNELS);
  }
}

// The order of tasks, and what runs between them, are the application's affair.
TEST(ApiMisuse, AnOddParallelFor) {
  const SmallLayer small;
  const lookupffn_parallel_for backwards = [](void*, size_t count, void (*task)(void*, size_t), void* data) {
    while (count-- > 0) task(data, count);
  };
  const lookupffn_parallel_for nested = [](void* layer, size_t count, void (*task)(void*, size_t), void* data) {
    const SmallLayer& own = *static_cast<const SmallLayer*>(layer);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(own.forward(nullptr), LOOKUPFFN_OK);  // a forward inside a forward
      task(data, i);
    }
  };
  EXPECT_EQ(small.forward(Threads(backwards, nullptr, 4).get()), LOOKUPFFN_OK);
  EXPECT_EQ(small.forward(Threads(nested, const_cast<SmallLayer*>(&small), 4).get()), LOOKUPFFN_OK);
  EXPECT_EQ(small.forward(Threads(backwards, nullptr, 4096).get()), LOOKUPFFN_OK);
}

}  // namespace
}  // namespace lookupffn::hostile
