#include "model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "failure.h"
#include "float_types.h"
#include "golden.h"
#include "lookupffn_layer.h"
#include "plain_layer.h"
#include "safetensors_writer.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

using reference::bh4_shape;
using reference::dense_shape;
using reference::model_bytes;
using reference::random_layer;

struct CloseModel {
  void operator()(lookupffn_model* model) const { lookupffn_model_close(model); }
};
using Model = std::unique_ptr<lookupffn_model, CloseModel>;

// Opens bytes that must be a model.
Model opened(const std::vector<uint8_t>& bytes) {
  lookupffn_model* model = nullptr;
  EXPECT_EQ(lookupffn_model_open_memory(bytes.data(), bytes.size(), &model), LOOKUPFFN_OK) << lookupffn_last_message();
  return Model(model);
}

// The message that bytes are refused with as a malformed model; "" where they are not.
std::string refusal(const std::vector<uint8_t>& bytes) {
  lookupffn_model* model = nullptr;
  const lookupffn_status status = lookupffn_model_open_memory(bytes.data(), bytes.size(), &model);
  if (status == LOOKUPFFN_OK) {
    lookupffn_model_close(model);
    return "";
  }
  EXPECT_EQ(status, LOOKUPFFN_MALFORMED_MODEL);
  EXPECT_EQ(model, nullptr);
  return lookupffn_last_message();
}

// A model of named F32 tensors that tests take to pieces.
struct Parts {
  struct Tensor {
    std::vector<size_t> shape;
    ElementType type = ElementType::kF32;
    std::vector<float> values;
  };
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  // A tensor of this shape, filled with a half.
  void put(const std::string& name, std::vector<size_t> shape) {
    size_t count = 1;
    for (size_t extent : shape) count *= extent;
    tensors[name] = {std::move(shape), ElementType::kF32, std::vector<float>(count, 0.5f)};
  }

  std::vector<uint8_t> bytes() const {
    std::vector<TensorSource> sources;
    for (const auto& [name, tensor] : tensors) {
      // Other types of 4 or 2 bytes take what is there: only F32 values are looked at.
      sources.push_back({name, tensor.type, tensor.shape, tensor.values.data()});
    }
    return safetensors_bytes(sources, metadata);
  }
};

Parts dense_parts(const std::string& prefix, size_t d_in, size_t d_out, size_t tables, size_t bits) {
  Parts parts;
  parts.put(prefix + "LayerNorm.weight", {d_in});
  parts.put(prefix + "LayerNorm.bias", {d_in});
  parts.put(prefix + "hash.projection.weight", {tables * bits, d_in});
  parts.put(prefix + "hash.projection.bias", {tables * bits});
  parts.put(prefix + "tables", {tables, size_t{1} << bits, d_out});
  parts.put(prefix + "bias", {d_out});
  return parts;
}

Parts bh4_parts(size_t d_in, size_t d_out, size_t tables, size_t bits, size_t block) {
  const lookupffn_shape shape = bh4_shape(d_in, d_out, tables, bits, block);
  Parts parts = dense_parts("", d_in, d_out, tables, bits);
  parts.put("hash.projection.weight", {shape.repeats, 4, reference::padded_width(shape) / block, block, block});
  return parts;
}

TEST(Model, DescribesEveryGoldenCase) {
  const std::string folder = std::string(LOOKUPFFN_TEST_DATA) + "/golden";
  for (const std::string& name : reference::golden_names(folder)) {
    lookupffn_model* raw = nullptr;
    const std::string path = folder + "/" + name + ".model.safetensors";
    ASSERT_EQ(lookupffn_model_open(path.c_str(), &raw), LOOKUPFFN_OK) << lookupffn_last_message();
    const Model model(raw);
    ASSERT_EQ(lookupffn_model_layer_count(model.get()), 1u);
    lookupffn_shape shape;
    ASSERT_EQ(lookupffn_model_layer(model.get(), 0, &shape), LOOKUPFFN_OK);
    // The names say the shapes.
    const std::string sizes =
        "_d" + std::to_string(shape.d_in) + "_t" + std::to_string(shape.tables) + "_b" + std::to_string(shape.bits);
    EXPECT_NE((name + "_").find(sizes + "_"), std::string::npos) << name << " read as " << sizes;
    EXPECT_EQ(name.rfind("bh4_", 0) == 0, shape.projection == LOOKUPFFN_BH4) << name;
    EXPECT_EQ(shape.rows, size_t{1} << shape.bits);
  }
}

TEST(Model, ReadsMetadataAndPrefix) {
  lookupffn_model* raw = nullptr;
  const std::string folder = std::string(LOOKUPFFN_TEST_DATA) + "/golden/";
  const std::string path = folder + "bh4_d128_t10_b6_f16_prefix_decay05.model.safetensors";
  ASSERT_EQ(lookupffn_model_open(path.c_str(), &raw), LOOKUPFFN_OK) << lookupffn_last_message();
  const Model model(raw);
  lookupffn_shape shape;
  ASSERT_EQ(lookupffn_model_layer(model.get(), 0, &shape), LOOKUPFFN_OK);
  EXPECT_STREQ(shape.prefix, "encoder.layer.3.FFN.");
  EXPECT_EQ(shape.decay, 0.5f);
  EXPECT_EQ(shape.layer_norm_eps, 0.001f);
  EXPECT_EQ(shape.block, 32u);
  EXPECT_EQ(shape.repeats, 1u);
  EXPECT_EQ(shape.d_out, 40u);
}

TEST(Model, DefaultsAndDenseFields) {
  const std::vector<uint8_t> bh4_bytes = bh4_parts(5, 3, 4, 5, 2).bytes();
  const Model bh4 = opened(bh4_bytes);
  lookupffn_shape shape;
  ASSERT_EQ(lookupffn_model_layer(bh4.get(), 0, &shape), LOOKUPFFN_OK);
  EXPECT_EQ(shape.decay, 0.7f);
  EXPECT_EQ(shape.layer_norm_eps, 1e-5f);
  EXPECT_EQ(shape.repeats, 3u);  // 20 outputs of 8
  EXPECT_STREQ(shape.prefix, "");
  const std::vector<uint8_t> dense_bytes = dense_parts("", 5, 3, 4, 5).bytes();
  const Model dense = opened(dense_bytes);
  ASSERT_EQ(lookupffn_model_layer(dense.get(), 0, &shape), LOOKUPFFN_OK);
  EXPECT_EQ(shape.projection, LOOKUPFFN_DENSE);
  EXPECT_EQ(shape.decay, 1.0f);
  EXPECT_EQ(shape.block, 0u);
  EXPECT_EQ(shape.repeats, 0u);
}

TEST(Model, TakesTheSmallestAndTheWidestShapes) {
  EXPECT_EQ(refusal(bh4_parts(1, 1, 1, 1, 1).bytes()), "");
  EXPECT_EQ(refusal(bh4_parts(8192, 1, 1, 1, 1).bytes()), "");
  EXPECT_EQ(refusal(bh4_parts(7, 1, 3, 3, 8).bytes()), "");
  EXPECT_EQ(refusal(dense_parts("", 8192, 1, 1, 1).bytes()), "");
  EXPECT_EQ(refusal(dense_parts("", 1, 8192, 1, 1).bytes()), "");
  EXPECT_EQ(refusal(dense_parts("", 1, 1, 4096, 1).bytes()), "");
  EXPECT_EQ(refusal(dense_parts("", 1, 1, 1, 16).bytes()), "");
}

TEST(Model, OtherTensorsOfAnyTypeAreLeftAlone) {
  Parts parts = dense_parts("ffn.", 2, 1, 1, 1);
  parts.put("attention.query.weight", {2, 2});
  parts.put("ids", {2});
  parts.tensors["ids"].type = ElementType::kI32;
  parts.put("strange", {1});
  parts.tensors["strange"].values[0] = std::nanf("");
  parts.put("other.tables", {3});
  EXPECT_EQ(refusal(parts.bytes()), "");
}

TEST(Model, LayersAreOrderedWithNumbersAsNumbers) {
  const reference::Layer layer = random_layer(dense_shape(2, 1, 1, 1), 1);
  std::vector<reference::NamedLayer> layers;
  for (const char* prefix : {"layer.10.FFN.", "layer.2.FFN.", "layer.02.FFN.", "a", "layer.1.x.12.", "layer.1.x.3.",
                             "layer.123456789012345678901234567890.", "layer.99999999999999999999.", "", "layer.2."}) {
    layers.push_back({prefix, &layer});
  }
  const std::vector<uint8_t> bytes = model_bytes(layers, ElementType::kF16);
  const Model model = opened(bytes);
  std::vector<std::string> prefixes;
  for (size_t i = 0; i < lookupffn_model_layer_count(model.get()); ++i) {
    lookupffn_shape shape;
    ASSERT_EQ(lookupffn_model_layer(model.get(), i, &shape), LOOKUPFFN_OK);
    prefixes.push_back(shape.prefix);
    EXPECT_EQ(find_layer(model.get(), shape.prefix).shape().prefix, shape.prefix);
  }
  EXPECT_EQ(prefixes, (std::vector<std::string>{"", "a", "layer.1.x.3.", "layer.1.x.12.", "layer.2.", "layer.02.FFN.",
                                                "layer.2.FFN.", "layer.10.FFN.", "layer.99999999999999999999.",
                                                "layer.123456789012345678901234567890."}));
}

// The failure of find_layer; LOOKUPFFN_OK where it finds one.
std::pair<lookupffn_status, std::string> find_failure(const lookupffn_model* model, const char* prefix) {
  try {
    find_layer(model, prefix);
    return {LOOKUPFFN_OK, ""};
  } catch (const Failure& failure) {
    return {failure.status(), failure.what()};
  }
}

TEST(Model, FindsLayersByPrefix) {
  const reference::Layer layer = random_layer(dense_shape(2, 1, 1, 1), 1);
  const std::vector<uint8_t> bytes_of_one = model_bytes(layer, "one.", ElementType::kF32);
  const Model one = opened(bytes_of_one);
  EXPECT_STREQ(find_layer(one.get(), "one.").shape().prefix, "one.");
  EXPECT_STREQ(find_layer(one.get(), "").shape().prefix, "one.");
  EXPECT_STREQ(find_layer(one.get(), nullptr).shape().prefix, "one.");
  EXPECT_EQ(find_failure(one.get(), "two.").first, LOOKUPFFN_NOT_FOUND);
  EXPECT_NE(find_failure(one.get(), "two.").second.find("'one.'"), std::string::npos);

  const std::vector<uint8_t> bytes_of_two = model_bytes({{"a.", &layer}, {"b.", &layer}}, ElementType::kF32);
  const Model two = opened(bytes_of_two);
  EXPECT_EQ(find_failure(two.get(), "").first, LOOKUPFFN_NOT_FOUND);
  EXPECT_NE(find_failure(two.get(), nullptr).second.find("'a.', 'b.'"), std::string::npos);

  const std::vector<uint8_t> bytes_with_bare = model_bytes({{"", &layer}, {"b.", &layer}}, ElementType::kF32);
  const Model bare = opened(bytes_with_bare);
  EXPECT_STREQ(find_layer(bare.get(), "").shape().prefix, "");
  EXPECT_EQ(find_failure(nullptr, "").first, LOOKUPFFN_INVALID_ARGUMENT);

  std::vector<reference::NamedLayer> many;
  for (int i = 0; i < 100; ++i) many.push_back({"layer." + std::to_string(i) + ".", &layer});
  const std::vector<uint8_t> bytes_of_many = model_bytes(many, ElementType::kF32);
  const Model hundred = opened(bytes_of_many);
  EXPECT_NE(find_failure(hundred.get(), "x").second.find("'layer.7.' and 92 more"), std::string::npos);
}

struct Malformed {
  const char* name;
  std::function<void(Parts&)> damage;  // done to a dense layer "ffn.": d_in 6, d_out 3, 2 tables, 2 bits
  const char* reason;
};

TEST(Model, EachKindOfMalformedLayerHasItsOwnMessage) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::vector<Malformed> cases = {
      {"rank of the norm",
       [](Parts& p) {
         p.put("ffn.LayerNorm.weight", {6, 1});
       },
       "tensor 'ffn.LayerNorm.weight' has 2 dimensions; 1 are needed"},
      {"d_in 0", [](Parts& p) { p.put("ffn.LayerNorm.weight", {0}); }, "has d_in 0; 1 to 8192"},
      {"d_in 8193", [](Parts& p) { p.put("ffn.LayerNorm.weight", {8193}); }, "has d_in 8193; 1 to 8192"},
      {"length of the norm's bias", [](Parts& p) { p.put("ffn.LayerNorm.bias", {7}); },
       "tensor 'ffn.LayerNorm.bias' has the shape [7]; the layer's other tensors need [6]"},
      {"rank of the norm's bias",
       [](Parts& p) {
         p.put("ffn.LayerNorm.bias", {6, 1});
       },
       "has the shape [6, 1]"},
      {"rank of the tables",
       [](Parts& p) {
         p.put("ffn.tables", {2, 12});
       },
       "tensor 'ffn.tables' has 2 dimensions; 3 are needed"},
      {"no tables",
       [](Parts& p) {
         p.put("ffn.tables", {0, 4, 3});
       },
       "has tables 0; 1 to 4096"},
      {"too many tables",
       [](Parts& p) {
         p.put("ffn.tables", {4097, 2, 1});
       },
       "has tables 4097; 1 to 4096"},
      {"rows no power of two",
       [](Parts& p) {
         p.put("ffn.tables", {2, 5, 3});
       },
       "has 5 rows a table"},
      {"one row",
       [](Parts& p) {
         p.put("ffn.tables", {2, 1, 3});
       },
       "has 1 rows a table"},
      {"no rows",
       [](Parts& p) {
         p.put("ffn.tables", {2, 0, 3});
       },
       "has 0 rows a table"},
      {"too many rows",
       [](Parts& p) {
         p.put("ffn.tables", {1, 131072, 1});
       },
       "has 131072 rows a table"},
      {"d_out 0",
       [](Parts& p) {
         p.put("ffn.tables", {2, 4, 0});
       },
       "has d_out 0; 1 to 8192"},
      {"d_out 8193",
       [](Parts& p) {
         p.put("ffn.tables", {1, 2, 8193});
       },
       "has d_out 8193; 1 to 8192"},
      {"rank of the projection",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {1, 4, 6});
       },
       "tensor 'ffn.hash.projection.weight' has 3 dimensions; 2 (dense) or 5 (BH4)"},
      {"outputs of the projection",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {5, 6});
       },
       "has the shape [5, 6]; the layer's other tensors need [4, 6]"},
      {"inputs of the projection",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {4, 8});
       },
       "has the shape [4, 8]; the layer's other tensors need [4, 6]"},
      {"block no power of two",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {1, 4, 2, 3, 3});
       },
       "has blocks of 3; a power of two up to 8 (d_in 6 padded)"},
      {"block 0",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {1, 4, 2, 0, 0});
       },
       "has blocks of 0"},
      {"block over p",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {1, 4, 1, 16, 16});
       },
       "has blocks of 16"},
      {"block not square",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {1, 4, 2, 2, 4});
       },
       "has the shape [1, 4, 2, 2, 4]; the layer's other tensors need [1, 4, 2, 4, 4]"},
      {"repeats",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {2, 4, 2, 4, 4});
       },
       "has the shape [2, 4, 2, 4, 4]; the layer's other tensors need [1, 4, 2, 4, 4]"},
      {"stages",
       [](Parts& p) {
         p.put("ffn.hash.projection.weight", {1, 3, 2, 4, 4});
       },
       "has the shape [1, 3, 2, 4, 4]"},
      {"length of the projection's bias", [](Parts& p) { p.put("ffn.hash.projection.bias", {8}); },
       "tensor 'ffn.hash.projection.bias' has the shape [8]; the layer's other tensors need [4]"},
      {"length of the bias", [](Parts& p) { p.put("ffn.bias", {4}); },
       "tensor 'ffn.bias' has the shape [4]; the layer's other tensors need [3]"},
      {"decay no number", [](Parts& p) { p.metadata["decay"] = "0.7x"; }, "'decay' is '0.7x', not a finite number"},
      {"decay empty", [](Parts& p) { p.metadata["decay"] = ""; }, "'decay' is '', not a finite number"},
      {"decay NaN", [](Parts& p) { p.metadata["decay"] = "nan"; }, "'decay' is 'nan', not a finite number"},
      {"decay infinite", [](Parts& p) { p.metadata["decay"] = "1e400"; }, "'decay' is '1e400', not a finite number"},
      {"decay over 1", [](Parts& p) { p.metadata["decay"] = "1.5"; }, "'decay' is '1.5', not from 0 to 1"},
      {"decay negative", [](Parts& p) { p.metadata["decay"] = "-0.1"; }, "'decay' is '-0.1', not from 0 to 1"},
      {"eps no number", [](Parts& p) { p.metadata["layer_norm_eps"] = "inf"; },
       "'layer_norm_eps' is 'inf', not a finite number"},
      {"eps 0", [](Parts& p) { p.metadata["layer_norm_eps"] = "0"; }, "'layer_norm_eps' is '0', not a positive number"},
      {"eps negative", [](Parts& p) { p.metadata["layer_norm_eps"] = "-1e-5"; }, "is '-1e-5', not a positive number"},
      {"eps too small for a float", [](Parts& p) { p.metadata["layer_norm_eps"] = "1e-44"; },
       "is '1e-44', not a positive number"},
  };
  std::vector<std::string> names;
  for (const auto& [name, tensor] : dense_parts("ffn.", 6, 3, 2, 2).tensors) names.push_back(name);
  ASSERT_EQ(names.size(), 6u);
  std::vector<std::string> reasons;  // owns what the cases point to
  reasons.reserve(names.size() * 4);
  for (const std::string& name : names) {
    const size_t last = dense_parts("ffn.", 6, 3, 2, 2).tensors.at(name).values.size() - 1;
    reasons.push_back("tensor '" + name + "' is missing");
    cases.push_back({"missing", [=](Parts& p) { p.tensors.erase(name); }, reasons.back().c_str()});
    reasons.push_back("tensor '" + name + "' has the dtype I32; F32, F16 or BF16 is needed");
    cases.push_back({"type", [=](Parts& p) { p.tensors.at(name).type = ElementType::kI32; }, reasons.back().c_str()});
    reasons.push_back("tensor '" + name + "' has a value that is NaN or infinite, its element 0");
    cases.push_back({"NaN", [=](Parts& p) { p.tensors.at(name).values[0] = nan; }, reasons.back().c_str()});
    reasons.push_back("'" + name + "' has a value that is NaN or infinite, its element " + std::to_string(last));
    cases.push_back({"inf", [=](Parts& p) { p.tensors.at(name).values[last] = infinity; }, reasons.back().c_str()});
  }
  std::set<std::string> messages;
  for (const Malformed& malformed : cases) {
    Parts parts = dense_parts("ffn.", 6, 3, 2, 2);
    ASSERT_EQ(refusal(parts.bytes()), "");
    malformed.damage(parts);
    const std::string message = refusal(parts.bytes());
    EXPECT_NE(message.find(malformed.reason), std::string::npos) << malformed.name << ": \"" << message << "\"";
    EXPECT_EQ(message.rfind("model in memory: ", 0), 0u) << message;
    messages.insert(message);
  }
  EXPECT_EQ(messages.size(), cases.size());
}

TEST(Model, AFileWithoutLayersIsRefused) {
  Parts parts;
  EXPECT_NE(refusal(parts.bytes()).find("holds no lookup layer"), std::string::npos);
  parts.put("tables", {1, 2, 1});
  parts.put("bias", {1});
  EXPECT_NE(refusal(parts.bytes()).find("holds no lookup layer"), std::string::npos);
}

TEST(Model, OneBadLayerAmongManyIsNamed) {
  const reference::Layer good = random_layer(dense_shape(2, 1, 1, 1), 1);
  reference::Layer bad = good;
  bad.table[1] = std::nanf("");
  EXPECT_NE(refusal(model_bytes({{"a.", &good}, {"b.", &bad}, {"c.", &good}}, ElementType::kBF16))
                .find("tensor 'b.tables' has a value that is NaN"),
            std::string::npos);
}

TEST(Model, NullAndWrongArguments) {
  lookupffn_model* model = reinterpret_cast<lookupffn_model*>(1);
  EXPECT_EQ(lookupffn_model_open(nullptr, &model), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(lookupffn_model_open("x", nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  model = reinterpret_cast<lookupffn_model*>(1);
  EXPECT_EQ(lookupffn_model_open_memory(nullptr, 0, &model), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(lookupffn_model_open_memory("", 0, nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(lookupffn_model_open_memory("", 0, &model), LOOKUPFFN_MALFORMED_MODEL);
  EXPECT_EQ(lookupffn_model_layer_count(nullptr), 0u);
  lookupffn_shape shape;
  EXPECT_EQ(lookupffn_model_layer(nullptr, 0, &shape), LOOKUPFFN_INVALID_ARGUMENT);
  const std::vector<uint8_t> bytes = dense_parts("", 1, 1, 1, 1).bytes();
  const Model valid = opened(bytes);
  EXPECT_EQ(lookupffn_model_layer(valid.get(), 0, nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(lookupffn_model_layer(valid.get(), 1, &shape), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_NE(std::string(lookupffn_last_message()).find("index 1 of 1"), std::string::npos);
  lookupffn_model_close(nullptr);
}

TEST(Model, MissingFileIsAnIoErrorThatNamesIt) {
  const ScratchFolder folder;
  lookupffn_model* model = nullptr;
  EXPECT_EQ(lookupffn_model_open(folder.file("none.safetensors").c_str(), &model), LOOKUPFFN_IO_ERROR);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(lookupffn_last_message(), folder.file("none.safetensors") + ": cannot open: No such file or directory");
}

TEST(Model, WorksAtAnyAddress) {
  const reference::Layer layer = random_layer(bh4_shape(6, 5, 3, 2, 4), 5);
  for (ElementType type : {ElementType::kF32, ElementType::kF16}) {
    const std::vector<uint8_t> bytes = model_bytes(layer, "", type);
    for (size_t shift = 0; shift < 4; ++shift) {
      std::vector<uint8_t> shifted(shift);
      shifted.insert(shifted.end(), bytes.begin(), bytes.end());
      const lookupffn_model model(shifted.data() + shift, bytes.size(), "shifted");
      const reference::Layer read = reference::layer_from(weights_of(find_layer(&model, "")));
      if (type == ElementType::kF32) {
        EXPECT_EQ(read.table, layer.table);
        EXPECT_EQ(read.weight, layer.weight);
      } else {
        EXPECT_EQ(read.table[0], f16_to_f32(f32_to_f16(layer.table[0])));
      }
    }
  }
}

}  // namespace
}  // namespace lookupffn
