// What the C API says of arguments that cannot be: a status, a message that names the thing, outputs cleared.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "layer_check.h"
#include "lookupffn/kernels.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "plainest_isa.h"
#include "reference/random_numbers.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

void expect_failure(lookupffn_status got, lookupffn_status wanted, const std::vector<std::string>& named) {
  const std::string message = lookupffn_last_message();
  EXPECT_STREQ(lookupffn_status_name(got), lookupffn_status_name(wanted)) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string& name : named) {
    EXPECT_NE(message.find(name), std::string::npos) << "'" << message << "' does not name '" << name << "'";
  }
}

class LayerApi : public testing::Test {
 protected:
  void SetUp() override {
    first_ = reference::random_layer(reference::dense_shape(12, 20, 3, 4), 1);
    second_ = reference::random_layer(reference::dense_shape(16, 16, 2, 3), 2);
    bytes_ = reference::model_bytes({{"layer.0.FFN.", &first_}, {"layer.1.FFN.", &second_}}, ElementType::kF32);
    ASSERT_EQ(lookupffn_model_open_memory(bytes_.data(), bytes_.size(), &model_), LOOKUPFFN_OK) << lookupffn_last_message();
    ASSERT_EQ(lookupffn_layer_pack(model_, "layer.0.FFN.", nullptr, &layer_), LOOKUPFFN_OK) << lookupffn_last_message();
  }
  void TearDown() override {
    lookupffn_layer_free(layer_);
    lookupffn_model_close(model_);
  }

  lookupffn_status pack(const lookupffn_pack_options& options, const char* prefix = "layer.0.FFN.") {
    lookupffn_layer* layer = reinterpret_cast<lookupffn_layer*>(1);
    const lookupffn_status status = lookupffn_layer_pack(model_, prefix, &options, &layer);
    if (status != LOOKUPFFN_OK) {
      EXPECT_EQ(layer, nullptr) << "an output after failure";
    } else {
      lookupffn_layer_free(layer);
    }
    return status;
  }
  lookupffn_status forward(const float* x, ptrdiff_t x_stride, float* y, ptrdiff_t y_stride, size_t tokens,
                           unsigned flags = 0) {
    return lookupffn_forward(layer_, nullptr, x, x_stride, y, y_stride, tokens, flags);
  }

  reference::Layer first_, second_;
  std::vector<uint8_t> bytes_;
  lookupffn_model* model_ = nullptr;
  lookupffn_layer* layer_ = nullptr;  // 12 to 20
  std::vector<float> x_ = std::vector<float>(4 * 12, 0.5f), y_ = std::vector<float>(4 * 20);
  std::vector<int32_t> code_ = std::vector<int32_t>(4 * 3);
  std::vector<float> score_ = std::vector<float>(4 * 3);
};

TEST_F(LayerApi, StatusNamesAreAllDifferentAndNeverNull) {
  std::vector<std::string> names;
  for (int status = LOOKUPFFN_OK; status <= LOOKUPFFN_INTERNAL; ++status) {
    names.push_back(lookupffn_status_name(lookupffn_status(status)));
    for (size_t k = 0; k + 1 < names.size(); ++k) EXPECT_NE(names[k], names.back());
  }
  EXPECT_NE(lookupffn_status_name(lookupffn_status(77)), nullptr);
}

TEST_F(LayerApi, ModelArguments) {
  lookupffn_model* model = nullptr;
  lookupffn_shape shape;
  expect_failure(lookupffn_model_open(nullptr, &model), LOOKUPFFN_INVALID_ARGUMENT, {"path"});
  expect_failure(lookupffn_model_open("x", nullptr), LOOKUPFFN_INVALID_ARGUMENT, {"model"});
  expect_failure(lookupffn_model_open("/nonexistent/a.safetensors", &model), LOOKUPFFN_IO_ERROR,
                 {"/nonexistent/a.safetensors"});
  EXPECT_EQ(model, nullptr);
  expect_failure(lookupffn_model_open_memory(nullptr, 8, &model), LOOKUPFFN_INVALID_ARGUMENT, {"bytes"});
  expect_failure(lookupffn_model_open_memory(bytes_.data(), bytes_.size(), nullptr), LOOKUPFFN_INVALID_ARGUMENT, {"model"});
  expect_failure(lookupffn_model_layer(nullptr, 0, &shape), LOOKUPFFN_INVALID_ARGUMENT, {"model"});
  expect_failure(lookupffn_model_layer(model_, 0, nullptr), LOOKUPFFN_INVALID_ARGUMENT, {"shape"});
  expect_failure(lookupffn_model_layer(model_, 2, &shape), LOOKUPFFN_INVALID_ARGUMENT, {"2"});
  EXPECT_EQ(lookupffn_model_layer_count(model_), 2u);
  lookupffn_model_close(nullptr);
}

TEST_F(LayerApi, PackArguments) {
  lookupffn_layer* layer = nullptr;
  expect_failure(lookupffn_layer_pack(nullptr, "", nullptr, &layer), LOOKUPFFN_INVALID_ARGUMENT, {"model"});
  expect_failure(lookupffn_layer_pack(model_, "", nullptr, nullptr), LOOKUPFFN_INVALID_ARGUMENT, {"layer"});
  expect_failure(pack({}, "layer.7.FFN."), LOOKUPFFN_NOT_FOUND, {"layer.7.FFN.", "layer.0.FFN."});
  expect_failure(pack({}, ""), LOOKUPFFN_NOT_FOUND, {"layer.0.FFN.", "layer.1.FFN."});
  expect_failure(pack({}, nullptr), LOOKUPFFN_NOT_FOUND, {"layer.0.FFN."});
  lookupffn_pack_options options{};
  options.isa = "sse5";
  expect_failure(pack(options), LOOKUPFFN_UNSUPPORTED_ISA, {"sse5", plainest_isa(kThisArchitecture)});
  options = {};
  options.table_type = lookupffn_type(9);
  expect_failure(pack(options), LOOKUPFFN_INVALID_ARGUMENT, {"table_type", "9"});
  options = {};
  options.projection_type = LOOKUPFFN_I8;
  expect_failure(pack(options), LOOKUPFFN_INVALID_ARGUMENT, {"projection_type"});
  options = {};
  options.kernels = lookupffn_kernels(5);
  expect_failure(pack(options), LOOKUPFFN_INVALID_ARGUMENT, {"kernels", "5"});
  lookupffn_layer_free(nullptr);
}

TEST_F(LayerApi, SpecialisedKernelsThatAreNotThere) {
  lookupffn_pack_options options{};
  options.kernels = LOOKUPFFN_SPECIALISED_KERNELS;
  expect_failure(pack(options), LOOKUPFFN_NO_KERNEL, {"hash", "gather", "d_in=12", "d_out=32", "lookupffn build"});
  // By default the layer falls back, and says why.
  options.kernels = LOOKUPFFN_ANY_KERNELS;
  lookupffn_layer* layer = nullptr;
  ASSERT_EQ(lookupffn_layer_pack(model_, "layer.0.FFN.", &options, &layer), LOOKUPFFN_OK);
  lookupffn_layer_info info;
  ASSERT_EQ(lookupffn_layer_describe(layer, &info), LOOKUPFFN_OK);
  EXPECT_EQ(info.specialised, 0);
  EXPECT_NE(std::string(info.fallback).find("d_in=12"), std::string::npos) << info.fallback;
  lookupffn_layer_free(layer);
}

TEST_F(LayerApi, Describe) {
  lookupffn_layer_info info;
  expect_failure(lookupffn_layer_describe(nullptr, &info), LOOKUPFFN_INVALID_ARGUMENT, {"layer"});
  expect_failure(lookupffn_layer_describe(layer_, nullptr), LOOKUPFFN_INVALID_ARGUMENT, {"info"});
  ASSERT_EQ(lookupffn_layer_describe(layer_, &info), LOOKUPFFN_OK);
  EXPECT_STREQ(info.shape.prefix, "layer.0.FFN.");
  EXPECT_EQ(info.shape.d_in, 12u);
  EXPECT_EQ(info.shape.d_out, 20u);
  EXPECT_STREQ(info.isa, active_isa());
  EXPECT_GE(info.packed_bytes, info.table_bytes + info.projection_bytes);
  EXPECT_GE(info.table_bytes, 3u * 16 * 20 * 4);
  EXPECT_NE(std::string(info.kernels), "");
}

TEST_F(LayerApi, ForwardArguments) {
  expect_failure(lookupffn_forward(nullptr, nullptr, x_.data(), 12, y_.data(), 20, 4, 0), LOOKUPFFN_INVALID_ARGUMENT,
                 {"layer"});
  expect_failure(forward(nullptr, 12, y_.data(), 20, 4), LOOKUPFFN_INVALID_ARGUMENT, {"x is NULL"});
  expect_failure(forward(x_.data(), 12, nullptr, 20, 4), LOOKUPFFN_INVALID_ARGUMENT, {"y is NULL"});
  expect_failure(forward(x_.data(), 12, y_.data(), 19, 4), LOOKUPFFN_INVALID_ARGUMENT, {"y_stride", "19", "20"});
  expect_failure(forward(x_.data(), 12, y_.data(), -19, 4), LOOKUPFFN_INVALID_ARGUMENT, {"y_stride", "-19"});
  expect_failure(forward(x_.data(), 12, y_.data(), 0, 2), LOOKUPFFN_INVALID_ARGUMENT, {"y_stride"});
  expect_failure(forward(x_.data(), 12, y_.data(), 20, 4, 6), LOOKUPFFN_INVALID_ARGUMENT, {"flags", "6"});
  expect_failure(forward(x_.data(), 12, y_.data(), 20, 4, LOOKUPFFN_ADD_RESIDUAL), LOOKUPFFN_INVALID_ARGUMENT, {"12", "20"});
  constexpr ptrdiff_t kMost = std::numeric_limits<ptrdiff_t>::max(), kLeast = std::numeric_limits<ptrdiff_t>::min();
  for (const ptrdiff_t stride : {kMost, kLeast, kMost / 4, kLeast / 4}) {
    expect_failure(forward(x_.data(), stride, y_.data(), 20, 3), LOOKUPFFN_INVALID_ARGUMENT, {"x_stride"});
    expect_failure(forward(x_.data(), 12, y_.data(), stride, 3), LOOKUPFFN_INVALID_ARGUMENT, {"y_stride"});
  }
}

// y may be x: the bits are those of a y of its own, with the residual and without.
TEST_F(LayerApi, ForwardInPlace) {
  for (const size_t d : {size_t(16), size_t(37), size_t(192)}) {
    const reference::Layer weights = reference::random_layer(reference::bh4_shape(d, d, 9, 5, 4), 3);
    const std::vector<uint8_t> bytes = reference::model_bytes(weights, "", ElementType::kF32);
    const Layer layer(Model(bytes.data(), bytes.size()));
    for (const size_t tokens : {size_t(1), size_t(2), size_t(70), size_t(200)}) {
      for (const ptrdiff_t stride : {ptrdiff_t(d), ptrdiff_t(d + 3), -ptrdiff_t(d)}) {
        const std::vector<float> x = reference::random_tokens(tokens, d + 3, 5);
        const size_t first = stride < 0 ? (tokens - 1) * d : 0;
        for (const unsigned flags : {0u, unsigned(LOOKUPFFN_ADD_RESIDUAL)}) {
          for (const size_t threads : {size_t(1), size_t(3)}) {
            SCOPED_TRACE(std::to_string(d) + " floats, " + std::to_string(tokens) + " tokens, stride " +
                         std::to_string(stride) + ", flags " + std::to_string(flags) + ", " + std::to_string(threads) +
                         " threads");
            const Threads pool(threads);
            std::vector<float> expected = x, y = x;
            layer.forward(pool, x.data() + first, stride, expected.data() + first, stride, tokens, flags);
            layer.forward(pool, y.data() + first, stride, y.data() + first, stride, tokens, flags);
            EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0);
          }
        }
      }
    }
  }
}

TEST_F(LayerApi, OverlappingRowsAreRefused) {
  std::vector<float> memory(400, 0.5f);
  float* const at = memory.data() + 100;
  const auto refused = [&](const float* x, ptrdiff_t x_stride, float* y, ptrdiff_t y_stride, size_t tokens) {
    expect_failure(forward(x, x_stride, y, y_stride, tokens), LOOKUPFFN_INVALID_ARGUMENT, {"overlap", "stride"});
  };
  refused(at, 12, at, 20, 1);  // x is shorter than y
  refused(at, 12, at + 11, 20, 1);
  refused(at, 12, at - 19, 20, 1);
  refused(at, 32, at + 11, 32, 4);  // side by side, by one float too few
  refused(at, 31, at + 12, 31, 4);  // or the next row's x
  refused(at, 0, at - 59, 20, 4);
  refused(at, -12, at - 20 - 31, 20, 2);
  refused(at + 60, -20, at, 20, 4);
  EXPECT_EQ(memory, std::vector<float>(400, 0.5f)) << "refused, yet written";
  // Beside and between each other.
  const auto fine = [&](const float* x, ptrdiff_t x_stride, float* y, ptrdiff_t y_stride, size_t tokens) {
    EXPECT_EQ(forward(x, x_stride, y, y_stride, tokens), LOOKUPFFN_OK) << lookupffn_last_message();
  };
  fine(at, 12, at + 12, 20, 1);
  fine(at, 12, at - 20, 20, 1);
  fine(at, 32, at + 12, 32, 4);
  fine(at, 32, at + 12 - 32, 32, 4);
  fine(at + 96, -32, at + 12, 32, 4);
  fine(at, 0, at + 12, 20, 4);
}

TEST_F(LayerApi, StridesOfOneTokenDoNotMatter) {
  std::vector<float> expected(20);
  ASSERT_EQ(forward(x_.data(), 12, expected.data(), 20, 1), LOOKUPFFN_OK) << lookupffn_last_message();
  for (const ptrdiff_t stride :
       {ptrdiff_t(0), ptrdiff_t(-3), std::numeric_limits<ptrdiff_t>::max(), std::numeric_limits<ptrdiff_t>::min()}) {
    std::vector<float> y(20);
    ASSERT_EQ(forward(x_.data(), stride, y.data(), stride, 1), LOOKUPFFN_OK) << lookupffn_last_message();
    EXPECT_EQ(y, expected) << stride;
  }
}

TEST_F(LayerApi, NoTokensNeedNothing) {
  EXPECT_EQ(forward(nullptr, 0, nullptr, 0, 0), LOOKUPFFN_OK);
  EXPECT_EQ(lookupffn_hash(layer_, nullptr, nullptr, 0, nullptr, nullptr, 0), LOOKUPFFN_OK);
  EXPECT_EQ(lookupffn_gather(layer_, nullptr, nullptr, nullptr, nullptr, 0, 0), LOOKUPFFN_OK);
}

TEST_F(LayerApi, HashArguments) {
  expect_failure(lookupffn_hash(nullptr, nullptr, x_.data(), 12, code_.data(), score_.data(), 4), LOOKUPFFN_INVALID_ARGUMENT,
                 {"layer"});
  expect_failure(lookupffn_hash(layer_, nullptr, nullptr, 12, code_.data(), score_.data(), 4), LOOKUPFFN_INVALID_ARGUMENT,
                 {"x is NULL"});
  // Either output may be left out.
  std::vector<int32_t> code(4 * 3);
  std::vector<float> score(4 * 3);
  ASSERT_EQ(lookupffn_hash(layer_, nullptr, x_.data(), 12, code_.data(), score_.data(), 4), LOOKUPFFN_OK);
  ASSERT_EQ(lookupffn_hash(layer_, nullptr, x_.data(), 12, code.data(), nullptr, 4), LOOKUPFFN_OK);
  ASSERT_EQ(lookupffn_hash(layer_, nullptr, x_.data(), 12, nullptr, score.data(), 4), LOOKUPFFN_OK);
  ASSERT_EQ(lookupffn_hash(layer_, nullptr, x_.data(), 12, nullptr, nullptr, 4), LOOKUPFFN_OK);
  EXPECT_EQ(code, code_);
  EXPECT_EQ(score, score_);
}

TEST_F(LayerApi, GatherArguments) {
  const auto gather = [&](const int32_t* code, const float* score, float* y, ptrdiff_t stride) {
    return lookupffn_gather(layer_, nullptr, code, score, y, stride, 4);
  };
  expect_failure(lookupffn_gather(nullptr, nullptr, code_.data(), score_.data(), y_.data(), 20, 4), LOOKUPFFN_INVALID_ARGUMENT,
                 {"layer"});
  expect_failure(gather(nullptr, score_.data(), y_.data(), 20), LOOKUPFFN_INVALID_ARGUMENT, {"code"});
  expect_failure(gather(code_.data(), nullptr, y_.data(), 20), LOOKUPFFN_INVALID_ARGUMENT, {"score"});
  expect_failure(gather(code_.data(), score_.data(), nullptr, 20), LOOKUPFFN_INVALID_ARGUMENT, {"y is NULL"});
  expect_failure(gather(code_.data(), score_.data(), y_.data(), 5), LOOKUPFFN_INVALID_ARGUMENT, {"y_stride"});
  for (const int32_t code : {16, -1, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min(), 65536}) {
    code_[7] = code;  // of token 2, table 1
    expect_failure(gather(code_.data(), score_.data(), y_.data(), 20), LOOKUPFFN_INVALID_ARGUMENT,
                   {std::to_string(code), "2, 1"});
  }
  code_[7] = 15;
  EXPECT_EQ(gather(code_.data(), score_.data(), y_.data(), 20), LOOKUPFFN_OK) << lookupffn_last_message();
}

TEST_F(LayerApi, OneLayerNeedsNoPrefix) {
  const std::vector<uint8_t> bytes = reference::model_bytes(first_, "some.prefix.", ElementType::kBF16);
  const Model model(bytes.data(), bytes.size());
  for (const char* prefix : {"", "some.prefix."}) EXPECT_STREQ(Layer(model, prefix).info().shape.prefix, "some.prefix.");
}

TEST_F(LayerApi, LayersOutliveTheirModel) {
  std::vector<float> y(20), again(20);
  ASSERT_EQ(forward(x_.data(), 12, y.data(), 20, 1), LOOKUPFFN_OK);
  lookupffn_model_close(model_);
  model_ = nullptr;
  std::fill(bytes_.begin(), bytes_.end(), uint8_t(0));
  ASSERT_EQ(forward(x_.data(), 12, again.data(), 20, 1), LOOKUPFFN_OK);
  EXPECT_EQ(y, again);
}

// ---- kernel libraries ----

TEST(KernelLibraries, OfAnotherAbiVersionAreRefused) {
  static const lookupffn_kernel_library other = {LOOKUPFFN_KERNEL_ABI_VERSION + 1, 7, nullptr, nullptr};
  expect_failure(lookupffn_register_kernels(&other), LOOKUPFFN_INCOMPATIBLE_KERNELS,
                 {std::to_string(LOOKUPFFN_KERNEL_ABI_VERSION), std::to_string(LOOKUPFFN_KERNEL_ABI_VERSION + 1)});
  expect_failure(lookupffn_register_kernels(nullptr), LOOKUPFFN_INVALID_ARGUMENT, {"library"});
}

TEST(KernelLibraries, LoadFailures) {
  size_t loaded = 9;
  expect_failure(lookupffn_load_kernels(nullptr, &loaded), LOOKUPFFN_INVALID_ARGUMENT, {"directory"});
  EXPECT_EQ(loaded, 0u);
  expect_failure(lookupffn_load_kernels("/nonexistent/kernels", &loaded), LOOKUPFFN_IO_ERROR, {"/nonexistent/kernels"});
  const ScratchFolder folder;
  expect_failure(lookupffn_load_kernels(folder.path().c_str(), &loaded), LOOKUPFFN_NOT_FOUND,
                 {folder.path(), "lookupffn build"});
  std::ofstream(folder.file("libbroken.so")) << "not a library";
  expect_failure(lookupffn_load_kernels(folder.path().c_str(), &loaded), LOOKUPFFN_IO_ERROR, {"libbroken.so"});
}

int failing_kernel(void**) { return -5; }

// A kernel that fails, or a library whose schedules make no sense, is reported, not believed.
TEST(KernelLibraries, FailingAndNonsensicalKernels) {
  const std::string isa = active_isa();
  const reference::Layer layer = reference::random_layer(reference::dense_shape(13, 16, 2, 3), 3);
  const std::vector<uint8_t> bytes = reference::model_bytes(layer, "", ElementType::kF32);
  const Model model(bytes.data(), bytes.size());
  const char* problem = "bits=3 d_out=16 table_type=f32 tables=2";
  static lookupffn_kernel gather = {"gather", nullptr, nullptr, "one", 1, 1, "d_tile=16", "default", failing_kernel};
  gather.isa = strdup(isa.c_str());
  gather.problem = problem;
  static const lookupffn_kernel_library library = {LOOKUPFFN_KERNEL_ABI_VERSION, 1, "failing", &gather};
  ASSERT_EQ(lookupffn_register_kernels(&library), LOOKUPFFN_OK);
  const Layer packed(model);
  std::vector<float> x(13 * 300), y(16 * 300);
  for (const size_t tokens : {1, 300}) {
    expect_failure(lookupffn_forward(packed.get(), nullptr, x.data(), 13, y.data(), 16, tokens, 0), LOOKUPFFN_INTERNAL,
                   {"gather", "-5"});
  }
  gather.schedule = "d_tile=0";
  lookupffn_layer* none = nullptr;
  expect_failure(lookupffn_layer_pack(model.get(), "", nullptr, &none), LOOKUPFFN_INCOMPATIBLE_KERNELS, {"d_tile"});
  gather.schedule = "d_tile=64";  // does not divide rows of 16
  expect_failure(lookupffn_layer_pack(model.get(), "", nullptr, &none), LOOKUPFFN_INCOMPATIBLE_KERNELS, {"d_tile"});
  gather.problem = "another";
}

}  // namespace
}  // namespace lookupffn
