// MemoryFormer layers: golden cases of the published code, made-up layers against the formulas, and what rows that are not
// finite or very large may do. Shapes and kernel libraries come from memoryformer.cmake.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "lookupffn_layer.h"
#include "lookupffn_tolerance.h"
#include "lookupffn_verdict.h"
#include "memoryformer_bf16_kernels.h"
#include "memoryformer_kernels.h"
#include "memoryformer_rules.h"
#include "memoryformer_shapes.h"
#include "model.h"
#include "plain_layer.h"
#include "reference/reference_family.h"
#include "safetensors_writer.h"

namespace lookupffn {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

const std::string kFamilies = LOOKUPFFN_TEST_DATA "/families/";
const std::vector<lookupffn_kernels> kBothKernels = {LOOKUPFFN_GENERIC_KERNELS, LOOKUPFFN_SPECIALISED_KERNELS};
const std::vector<lookupffn_type> kTableTypes = {LOOKUPFFN_F32, LOOKUPFFN_BF16, LOOKUPFFN_I8};

// ---- golden cases

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFamilies)) {
    const std::string name = entry.path().filename().string(), start = "memoryformer.", end = ".safetensors";
    if (name.compare(0, start.size(), start) == 0)
      names.push_back(name.substr(start.size(), name.size() - start.size() - end.size()));
  }
  if (names.empty()) throw std::runtime_error(kFamilies + " holds no case of memoryformer");
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<float> floats(const SafetensorsFile& file, const std::string& name) {
  const TensorView* tensor = file.find(name);
  if (!tensor) throw std::runtime_error(file.name() + ": no tensor " + name);
  std::vector<float> values(tensor->elements());
  read_floats(*tensor, 0, values.size(), values.data());
  return values;
}

std::vector<int32_t> codes(const SafetensorsFile& file, const std::string& name) {
  const TensorView* tensor = file.find(name);
  if (!tensor || std::string(file.type_name(*tensor)) != "I64") throw std::runtime_error(file.name() + ": no codes " + name);
  std::vector<int64_t> values(tensor->elements());
  read_bytes(*tensor, 0, tensor->bytes, values.data());
  return {values.begin(), values.end()};
}

// LayerNorm as the published code has it between two layers, with what stands in the file as NAME.weight and NAME.bias.
std::vector<float> layer_norm(const SafetensorsFile& file, const std::string& name, const std::vector<float>& x) {
  const std::vector<float> gamma = floats(file, name + "weight"), beta = floats(file, name + "bias");
  const size_t width = gamma.size();
  std::vector<float> h(x.size());
  for (size_t n = 0; n < x.size() / width; ++n) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; ++i) mean += double(x[n * width + i]) / double(width);
    for (size_t i = 0; i < width; ++i) variance += std::pow(x[n * width + i] - mean, 2) / double(width);
    for (size_t i = 0; i < width; ++i) {
      h[n * width + i] = float((x[n * width + i] - mean) / std::sqrt(variance + 1e-5) * gamma[i] + beta[i]);
    }
  }
  return h;
}

// Which tensors a layer of a case is judged by.
struct Names {
  std::string prefix, code, score, y;
};

std::vector<Names> names_of(const std::string& name) {
  if (name.compare(0, 3, "qkv") == 0) {
    return {{"key_proj.", "code", "score", "k"}, {"query_proj.", "code", "score", "q"}, {"value_proj.", "code", "score", "v"}};
  }
  if (name.compare(0, 3, "ffn") == 0) return {{"0.", "0.code", "0.score", "0.y"}, {"2.", "2.code", "2.score", "y"}};
  return {{"", "code", "score", "y"}};
}

class MemoryformerGolden : public testing::TestWithParam<std::string> {
 protected:
  MemoryformerGolden() : path_(kFamilies + "memoryformer." + GetParam() + ".safetensors"), model_(path_) {
    const std::string kernels = std::string(LOOKUPFFN_TEST_KERNELS "/memoryformer_") + GetParam();
    EXPECT_EQ(lookupffn_load_kernels(kernels.c_str(), nullptr), LOOKUPFFN_OK) << lookupffn_last_message();
  }
  const SafetensorsFile& file() const { return model_.get()->file; }
  // The second layer of a feed-forward module gets what the first one should give.
  std::vector<float> input_of(const Names& names) const {
    return names.prefix == "2." ? layer_norm(file(), "1.", floats(file(), "0.y")) : floats(file(), "x");
  }

  const std::string path_;
  const Model model_;
};

TEST_P(MemoryformerGolden, EveryIsaGivesWhatThePublishedCodeGives) {
  const std::vector<Names> all = names_of(GetParam());
  ASSERT_EQ(lookupffn_model_layer_count(model_.get()), all.size());
  for (const Names& names : all) {
    const reference::Layer weights = reference::layer_from(weights_of(find_layer(model_.get(), names.prefix.c_str())));
    EXPECT_STREQ(weights.shape.family, "memoryformer");
    const std::vector<float> x = input_of(names), score = floats(file(), names.score), y = floats(file(), names.y);
    const size_t tokens = x.size() / weights.shape.d_in;
    reference::Result expected;  // without z: all codes are decided
    expected.code = codes(file(), names.code);
    expected.score.assign(score.begin(), score.end());
    expected.y.assign(y.begin(), y.end());
    for (const std::string& isa : checks::runnable_isas()) {
      for (const lookupffn_kernels kernels : kBothKernels) {
        for (const lookupffn_type table_type : kTableTypes) {
          if (table_type != LOOKUPFFN_F32 && kernels == LOOKUPFFN_SPECIALISED_KERNELS) continue;  // not built
          SCOPED_TRACE(names.prefix + " " + checks::describe({isa, kernels, table_type, LOOKUPFFN_F32}));
          PackOptions options{};
          options.isa = isa.c_str();
          options.kernels = kernels;
          options.table_type = table_type;
          const Layer layer(model_, names.prefix, options);
          reference::Results given;
          given.code.resize(tokens * weights.shape.tables);
          given.score.resize(given.code.size());
          given.y.resize(tokens * weights.shape.d_out);
          layer.hash(nullptr, x.data(), ptrdiff_t(weights.shape.d_in), given.code.data(), given.score.data(), tokens);
          layer.forward(x.data(), given.y.data(), tokens);
          const reference::Verdict verdict = reference::judge(weights, x, expected, given, table_type, LOOKUPFFN_F32);
          EXPECT_EQ(verdict.tokens, tokens);
          EXPECT_EQ(verdict.wrong_codes, 0u);
          EXPECT_LE(verdict.score_of_tolerance, 1);
          EXPECT_LE(verdict.y_of_tolerance, 1);
          EXPECT_TRUE(verdict.passed());
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, MemoryformerGolden, testing::ValuesIn(case_names()),
                         [](const testing::TestParamInfo<std::string>& info) { return info.param; });

TEST(Memoryformer, TwoLayersWithALayerNormBetweenThemAreTheFeedForwardModule) {
  const Model model(kFamilies + "memoryformer.ffn_extrabit_d48_t8_b6.safetensors");
  const SafetensorsFile& file = model.get()->file;
  const std::vector<float> x = floats(file, "x"), y = floats(file, "y");
  const std::vector<double> exact(y.begin(), y.end());
  for (const std::string& isa : checks::runnable_isas()) {
    SCOPED_TRACE(isa);
    PackOptions options{};
    options.isa = isa.c_str();
    const Layer first(model, "0.", options), second(model, "2.", options);
    const size_t tokens = x.size() / 48;
    std::vector<float> middle(tokens * 64), given(tokens * 48);
    first.forward(x.data(), middle.data(), tokens);
    middle = layer_norm(file, "1.", middle);
    second.forward(middle.data(), given.data(), tokens);
    for (size_t n = 0; n < tokens; ++n) {
      const double tolerance = reference::row_tolerance(&exact[n * 48], 48);
      for (size_t o = n * 48; o < (n + 1) * 48; ++o) ASSERT_NEAR(given[o], y[o], tolerance) << o;
    }
  }
}

TEST(Memoryformer, AZeroOfEitherSignSetsItsBit) {
  const Model model(kFamilies + "memoryformer.zeros_t6_b5_o16.safetensors");
  const SafetensorsFile& file = model.get()->file;
  const std::vector<float> x = floats(file, "x");
  const auto zeros = [&x](bool negative) {
    return std::count_if(x.begin(), x.end(), [&](float value) { return value == 0 && std::signbit(value) == negative; });
  };
  ASSERT_GT(zeros(false), 0);
  ASSERT_GT(zeros(true), 0);
  EXPECT_NE(codes(file, "code"), codes(file, "code_cpp_path"));  // else the golden case above shows nothing
}

TEST(Memoryformer, VerifyTellsTheRuleOfTheOtherPathFromTheTrainingCodes) {
  const Model model(kFamilies + "memoryformer.zeros_t6_b5_o16.safetensors");
  const SafetensorsFile& file = model.get()->file;
  const ModelLayer& source = find_layer(model.get(), "");
  const Layer layer(model);
  const std::vector<float> x = floats(file, "x"), score = floats(file, "score"), y = floats(file, "y");
  const auto verify = [&](const char* code_name) {
    const std::vector<int32_t> code = codes(file, code_name);
    const std::vector<uint8_t> bytes = safetensors_bytes({{"x", ElementType::kF32, {30, 30}, x.data()},
                                                          {"code", ElementType::kI32, {30, 6}, code.data()},
                                                          {"score", ElementType::kF32, {30, 6}, score.data()},
                                                          {"y", ElementType::kF32, {30, 16}, y.data()}});
    const SafetensorsFile io(bytes.data(), bytes.size(), code_name);
    return reference::reference_family("memoryformer").verify(io, source, *layer.get(), *Threads(1).get());
  };
  EXPECT_TRUE(verify("code").passed());
  const reference::Verification found = verify("code_cpp_path");
  EXPECT_FALSE(found.passed());
  EXPECT_GT(found.layer.wrong_codes, 0u);
}

// ---- made-up layers

reference::Layer random_layer(const lookupffn_shape& shape, uint64_t seed) {
  return reference::random_layer(shape, seed, memoryformer_rules(shape.projection != LOOKUPFFN_NO_PROJECTION));
}

lookupffn_shape shape_from(const std::string& text) {
  lookupffn_shape shape = checks::shape_from(text);
  if (text.find("projection=") == std::string::npos) shape.projection = LOOKUPFFN_NO_PROJECTION;
  return shape;
}

// A new one at every run, which is printed.
uint64_t new_seed() {
  const uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

void check_on_all_isas(const reference::Layer& layer, uint64_t seed, const checks::Variant& with,
                       const std::vector<lookupffn_type>& table_types) {
  const checks::LayerCase layer_case(layer, seed, 130);
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type type : table_types) {
      layer_case.check({isa, with.kernels, type, with.projection_type}, {0, 1, 2, 3, 7, 8, 9, 17, 31, 33, 127, 128, 130});
    }
  }
}

TEST(MemoryformerGeneric, RandomShapesAgreeWithTheFormulas) {
  const uint64_t seed = new_seed();
  std::mt19937_64 random(seed);
  const auto draw = [&random](size_t least, size_t most) { return least + random() % (most - least + 1); };
  for (int k = 0; k < 12; ++k) {
    const size_t bits = draw(1, 10), tables = draw(1, 40), d_out = draw(1, 150);
    const bool projected = k % 2 == 0;
    const lookupffn_shape shape = projected ? reference::dense_shape(draw(1, 200), d_out, tables, bits)
                                            : reference::unprojected_shape(d_out, tables, bits);
    const lookupffn_type projection_type = k % 4 == 0 ? LOOKUPFFN_BF16 : LOOKUPFFN_F32;
    check_on_all_isas(random_layer(shape, seed + uint64_t(k)), seed + uint64_t(k),
                      {"", LOOKUPFFN_GENERIC_KERNELS, LOOKUPFFN_F32, projection_type}, kTableTypes);
    if (testing::Test::HasFailure()) return;
  }
}

class MemoryformerSpecialised : public testing::TestWithParam<std::string> {};

TEST_P(MemoryformerSpecialised, AgreesWithTheFormulas) {
  ASSERT_EQ(memoryformer_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  const uint64_t seed = new_seed();
  check_on_all_isas(random_layer(shape_from(GetParam()), seed), seed, {"", LOOKUPFFN_SPECIALISED_KERNELS}, kTableTypes);
}

INSTANTIATE_TEST_SUITE_P(Shapes, MemoryformerSpecialised,
                         testing::ValuesIn(std::begin(kMemoryformerShapes), std::end(kMemoryformerShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

TEST(MemoryformerSpecialised, ProjectionsOfBf16AgreeWithTheFormulas) {
  ASSERT_EQ(memoryformer_bf16_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  const uint64_t seed = new_seed();
  const reference::Layer layer = random_layer(shape_from(kMemoryformerBf16Shape), seed);
  for (const lookupffn_type type : {LOOKUPFFN_BF16, LOOKUPFFN_BF16X3}) {
    check_on_all_isas(layer, seed, {"", LOOKUPFFN_SPECIALISED_KERNELS, LOOKUPFFN_F32, type}, {LOOKUPFFN_F32});
  }
}

// All kernels of the shapes above, of both kinds.
void for_all_kernels(const std::function<void(const checks::LayerCase&, const Layer&)>& visit) {
  ASSERT_EQ(memoryformer_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  for (const std::string& text : kMemoryformerShapes) {
    const checks::LayerCase layer(random_layer(shape_from(text), 11), 11, 131);
    for (const std::string& isa : checks::runnable_isas()) {
      for (const lookupffn_kernels kernels : kBothKernels) {
        for (const lookupffn_type type : kTableTypes) {
          const checks::Variant variant{isa, kernels, type, LOOKUPFFN_F32};
          SCOPED_TRACE(text + ", " + checks::describe(variant));
          visit(layer, layer.pack(variant));
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

TEST(MemoryformerKernels, GiveTheSameBitsOnAnyNumberOfThreads) {
  for_all_kernels([](const checks::LayerCase& layer, const Layer& packed) {
    const size_t d_in = layer.shape().d_in, tokens = layer.x().size() / d_in;
    std::vector<float> y(tokens * layer.shape().d_out);
    packed.forward(Threads(1), layer.x().data(), y.data(), tokens);
    for (const size_t threads : {2, 3, 5}) {
      for (const size_t count : {size_t(1), size_t(40), tokens}) {
        std::vector<float> other(count * layer.shape().d_out);
        packed.forward(Threads(threads), layer.x().data(), other.data(), count);
        ASSERT_EQ(std::memcmp(y.data(), other.data(), other.size() * sizeof(float)), 0)
            << threads << " threads, " << count << " tokens";
      }
    }
  });
}

TEST(MemoryformerKernels, KeepARowThatIsNotFiniteToItself) {
  for_all_kernels([](const checks::LayerCase& layer, const Layer& packed) {
    const size_t d_in = layer.shape().d_in, d_out = layer.shape().d_out, tables = layer.shape().tables;
    for (const size_t tokens : {size_t(1), size_t(9), size_t(131)}) {
      std::vector<float> x(layer.x().begin(), layer.x().begin() + ptrdiff_t(tokens * d_in));
      std::vector<float> y(tokens * d_out), bad_y(tokens * d_out);
      packed.forward(x.data(), y.data(), tokens);
      std::vector<bool> is_bad(tokens);
      const float bad[] = {kNaN, kInf, -kInf};
      for (size_t n = 0; n < tokens; n += 4) {
        is_bad[n] = true;
        for (size_t i = n % 8 == 0 ? 0 : n % d_in; i < (n % 8 == 0 ? d_in : n % d_in + 1); ++i)
          x[n * d_in + i] = bad[n / 4 % 3];
      }
      std::vector<int32_t> code(tokens * tables, -1);
      packed.forward(x.data(), bad_y.data(), tokens);
      packed.hash(nullptr, x.data(), ptrdiff_t(d_in), code.data(), nullptr, tokens);
      for (const int32_t value : code) ASSERT_TRUE(value >= 0 && size_t(value) < layer.shape().rows) << value;
      for (size_t n = 0; n < tokens; ++n) {
        if (!is_bad[n]) {
          ASSERT_EQ(std::memcmp(&y[n * d_out], &bad_y[n * d_out], d_out * sizeof(float)), 0) << "row " << n << " changed";
          continue;
        }
        for (size_t o = 0; o < d_out; ++o) ASSERT_FALSE(std::isfinite(bad_y[n * d_out + o])) << "y[" << n << ", " << o << "]";
      }
    }
  });
}

TEST(MemoryformerKernels, GiveLargeZTheScoreOfTheFormula) {
  for_all_kernels([](const checks::LayerCase& layer, const Layer& packed) {
    if (layer.shape().projection != LOOKUPFFN_NO_PROJECTION) return;
    const size_t d_in = layer.shape().d_in, tables = layer.shape().tables, bits = layer.shape().bits;
    // 3e38 is about the largest float, and -2 |z| none: exp of it is 0. A sum of two is infinite.
    for (const float size : {50.0f, 1e10f, 1e30f, 3e38f}) {
      const size_t tokens = 9;
      std::vector<float> x(tokens * d_in, 0.0f), score(tokens * tables);
      std::vector<int32_t> code(tokens * tables);
      for (size_t k = 0; k < x.size(); k += size == 3e38f ? bits : 1) x[k] = k % 3 == 0 ? size : -size;
      packed.hash(nullptr, x.data(), ptrdiff_t(d_in), code.data(), score.data(), tokens);
      const reference::Hash exact = reference::code_and_score(layer.layer(), {x.begin(), x.end()});
      ASSERT_EQ(code, exact.code);
      for (size_t k = 0; k < score.size(); ++k) ASSERT_NEAR(score[k] / exact.score[k], 1, 1e-5) << size;
    }
    if (bits == 1) return;
    const std::vector<float> x(d_in, 3e38f);
    std::vector<float> score(tables);
    packed.hash(nullptr, x.data(), ptrdiff_t(d_in), nullptr, score.data(), 1);
    for (const float value : score) ASSERT_EQ(value, kInf);
  });
}

}  // namespace
}  // namespace lookupffn
