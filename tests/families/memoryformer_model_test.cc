// MemoryFormer's part of a model file: which layers are there, what their shapes follow from, and what is refused.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.hpp"
#include "safetensors_writer.h"

namespace lookupffn {
namespace {

using Metadata = std::map<std::string, std::string>;

// A file of tensors full of ones, and what opening it gives.
class File {
 public:
  File& add(const std::string& name, const std::vector<size_t>& shape) {
    size_t elements = 1;
    for (const size_t extent : shape) elements *= extent;
    values_.emplace_back(elements, 1.0f);
    names_.push_back(name);
    shapes_.push_back(shape);
    return *this;
  }
  File& layer(const std::string& prefix, size_t rows, size_t d_out) {
    return add(prefix + "tables", {rows, d_out}).add(prefix + "bias", {d_out});
  }
  File& projection(const std::string& name, size_t outputs, size_t d_in) {
    return add(name + "weight", {outputs, d_in}).add(name + "bias", {outputs});
  }

  std::vector<uint8_t> bytes(const Metadata& metadata = {}) const {
    std::vector<TensorSource> tensors;
    for (size_t k = 0; k < names_.size(); ++k) tensors.push_back({names_[k], ElementType::kF32, shapes_[k], values_[k].data()});
    return safetensors_bytes(tensors, metadata);
  }

  // "PREFIX: bits tables d_in d_out, ..." of its layers, or the error.
  std::string opened(const Metadata& metadata = {}) const {
    const std::vector<uint8_t> file = bytes(metadata);
    try {
      const Model model(file.data(), file.size());
      std::string text;
      for (size_t k = 0; k < lookupffn_model_layer_count(model.get()); ++k) {
        lookupffn_shape shape;
        check(lookupffn_model_layer(model.get(), k, &shape));
        EXPECT_STREQ(shape.family, "memoryformer");
        EXPECT_EQ(shape.rows, size_t{1} << shape.bits);
        EXPECT_EQ(shape.lookups, shape.tables);
        EXPECT_EQ(shape.layer_norm_eps, 0);
        text += (k == 0 ? "" : ", ") + std::string(shape.prefix) + ": " + std::to_string(shape.bits) + " " +
                std::to_string(shape.tables) + " " + std::to_string(shape.d_in) + " " + std::to_string(shape.d_out);
      }
      return text;
    } catch (const Error& error) {
      return error.what();
    }
  }

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<size_t>> shapes_;
  std::vector<std::vector<float>> values_;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#define EXPECT_REFUSED(text, part)                   \
  do {                                               \
    const std::string message = (text);              \
    EXPECT_TRUE(contains(message, part)) << message; \
  } while (false)

TEST(MemoryformerModel, BitsFollowFromTheProjection) {
  EXPECT_EQ(File().layer("", 9 * 32, 33).projection("hash.projection.", 45, 50).opened(), ": 5 9 50 33");
  EXPECT_EQ(File().layer("a.", 2 * 65536, 1).projection("a.hash.projection.", 32, 7).opened(), "a.: 16 2 7 1");
  // An odd number of outputs is of one bit each.
  EXPECT_EQ(File().layer("", 6, 2).projection("hash.projection.", 3, 4).opened(), ": 1 3 4 2");
  // T * 2 rows of T outputs are also T / 2 * 4 rows.
  const File two = File().layer("", 8, 2).projection("hash.projection.", 4, 4);
  EXPECT_REFUSED(two.opened(),
                 "tensor 'tables' has 8 rows and the projection 4 outputs, of 1 bit or of 2: __metadata__ 'bits' must say");
  EXPECT_EQ(two.opened({{"bits", "1"}}), ": 1 4 4 2");
  EXPECT_EQ(two.opened({{"bits", "2"}}), ": 2 2 4 2");
  EXPECT_REFUSED(two.opened({{"bits", "3"}}), "of 1 bit or of 2");
  for (const size_t rows : {size_t(0), size_t(1), size_t(9 * 32 + 1), size_t(9 * 64)}) {
    EXPECT_REFUSED(File().layer("", rows, 3).projection("hash.projection.", 45, 50).opened(), "T * 2^K and T * K");
  }
}

TEST(MemoryformerModel, WithoutAProjectionTheFileSaysTheBits) {
  const File file = File().layer("", 12 * 256, 4);
  EXPECT_EQ(file.opened({{"bits", "8"}}), ": 8 12 96 4");
  EXPECT_EQ(file.opened({{"config", R"({"bits": 8, "tables": 12})"}}), ": 8 12 96 4");
  EXPECT_EQ(file.opened({{"bits", "4"}, {"config", R"({"bits": 8})"}}), ": 4 192 768 4");
  for (const Metadata& metadata :
       {Metadata{}, Metadata{{"config", "{"}}, Metadata{{"config", "[]"}}, Metadata{{"config", R"({"bits": "8"})"}},
        Metadata{{"config", R"({"bits": [[8]]})"}}, Metadata{{"config", R"({"bits": []})"}}}) {
    EXPECT_REFUSED(file.opened(metadata), "tensor 'tables' has 3072 rows of any number of bits");
  }
  for (const char* bits : {"", "x", "-1", "0", "8.5", "[]", "[\"8\"]", "{}"}) {
    EXPECT_REFUSED(file.opened({{"bits", bits}}), "__metadata__ 'bits' is '" + std::string(bits) + "'");
  }
  for (const char* bits : {"17", "18446744073709551615", "[99]"}) {
    EXPECT_REFUSED(file.opened({{"bits", bits}}), "more bits than 16");
  }
  EXPECT_REFUSED(file.opened({{"bits", "16"}}), "has 3072 rows; tables of 16 bits (__metadata__) have a multiple of 65536");
  EXPECT_REFUSED(File().layer("", 8192 * 2, 1).opened({{"bits", "1"}}), "has tables 8192; 1 to 4096 is supported");
  EXPECT_REFUSED(File().layer("", 4096 * 8, 1).opened({{"bits", "3"}}), "has d_in = tables * bits 12288");
}

TEST(MemoryformerModel, AListHasTheBitsOfEachLayerInTheOrderOfTheLayers) {
  const File file = File().layer("10.", 8 * 256, 5).layer("2.", 8 * 64, 6);
  EXPECT_EQ(file.opened({{"bits", "[6, 8]"}}), "2.: 6 8 48 6, 10.: 8 8 64 5");
  EXPECT_EQ(file.opened({{"config", R"({"bits": [6, 8]})"}}), "2.: 6 8 48 6, 10.: 8 8 64 5");
  EXPECT_REFUSED(file.opened({{"bits", "[6]"}}), "a list of one for each layer");
}

TEST(MemoryformerModel, LayersBesideASharedProjectionHaveIt) {
  const File file = File()
                        .layer("a.query_proj.", 160, 3)
                        .layer("a.value_proj.", 160, 4)
                        .layer("b.query_proj.", 160, 5)
                        .projection("a.hash_proj.", 40, 30)
                        .projection("b.query_proj.hash.projection.", 40, 20);
  EXPECT_EQ(file.opened(), "a.query_proj.: 4 10 30 3, a.value_proj.: 4 10 30 4, b.query_proj.: 4 10 20 5");
}

TEST(MemoryformerModel, WhatIsMissingOrDoesNotFitIsNamed) {
  const Metadata bits = {{"bits", "3"}};
  EXPECT_REFUSED(File().add("tables", {16, 4}).opened(bits), "tensor 'bias' is missing");
  EXPECT_REFUSED(File().add("tables", {16, 4}).add("bias", {5}).opened(bits), "tensor 'bias' has the shape [5]");
  EXPECT_REFUSED(File().layer("", 16, 4).add("hash.projection.bias", {6}).opened(bits), "'hash.projection.weight' is missing");
  EXPECT_REFUSED(File().layer("", 16, 4).add("hash.projection.weight", {6, 5}).opened(bits),
                 "'hash.projection.bias' is missing");
  EXPECT_REFUSED(File().layer("", 16, 4).add("hash.projection.weight", {6, 5}).add("hash.projection.bias", {5}).opened(bits),
                 "'hash.projection.bias' has the shape [5]");
  EXPECT_REFUSED(
      File().layer("", 16, 4).add("hash.projection.weight", {1, 4, 1, 8, 8}).add("hash.projection.bias", {6}).opened(bits),
      "'hash.projection.weight' has 5 dimensions; 2 are needed");
  EXPECT_REFUSED(File().layer("", 16, 9000).opened(bits), "d_out 9000");
  EXPECT_REFUSED(File().layer("", 0, 4).opened(bits), "has 0 rows");
}

TEST(MemoryformerModel, ALayerWithLayerNormIsNotMemoryformers) {
  EXPECT_REFUSED(File()
                     .layer("", 16, 4)
                     .projection("hash.projection.", 6, 5)
                     .add("LayerNorm.weight", {5})
                     .add("LayerNorm.bias", {5})
                     .opened(),
                 "tensor 'tables' has 2 dimensions; 3 are needed");
  EXPECT_REFUSED(File().layer("my_", 16, 4).opened({{"bits", "3"}}), "holds no lookup layer");
}

TEST(MemoryformerModel, ValuesThatAreNotFiniteAreRefused) {
  const float nan[] = {1, 2, __builtin_nanf(""), 4}, fine[] = {1, 2};
  const std::vector<uint8_t> bytes =
      safetensors_bytes({{"tables", ElementType::kF32, {2, 2}, nan}, {"bias", ElementType::kF32, {2}, fine}}, {{"bits", "1"}});
  try {
    Model(bytes.data(), bytes.size());
    FAIL() << "was read";
  } catch (const Error& error) {
    EXPECT_REFUSED(error.what(), "tensor 'tables' has a value that is NaN or infinite, its element 2");
  }
}

}  // namespace
}  // namespace lookupffn
