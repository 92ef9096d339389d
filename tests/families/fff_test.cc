// Fast feed-forward layers: golden cases of the published code, and shapes drawn anew in each run against the
// naive twin, on every ISA that runs here, on generic and on specialised kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "compiler_family.h"
#include "drawn_seed.h"
#include "failure.h"
#include "fff_model_file.h"
#include "generators/fff/reference/fff_twin.h"
#include "installation.h"
#include "kernel_library.h"
#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "model.h"
#include "reference/random_numbers.h"
#include "reference/reference_family.h"
#include "reference/tolerance.h"
#include "safetensors_writer.h"
#include "sanitized.h"
#include "scratch_folder.h"
#include "strided_rows.h"

namespace lookupffn {
namespace {

using reference::FffTrees;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<std::string> golden_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(LOOKUPFFN_TEST_DATA "/families")) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("fff.", 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string golden_path(const std::string& name) { return LOOKUPFFN_TEST_DATA "/families/" + name; }

// Layers with made-up weights: what has one of everything at the edges, and three forms.
FffTrees trees_of(size_t d_in, size_t d_out, size_t trees, size_t depth, size_t hidden, bool zero_right, uint64_t random_seed) {
  const FffShape shape(d_in, d_out, trees, hidden > 0 ? size_t{1} << depth : (size_t{2} << depth) - 1, hidden);
  FffTrees result = reference::random_fff_trees(shape, random_seed);
  result.zero_right = zero_right || hidden > 0;
  if (zero_right && hidden == 0) std::fill(result.node_bias.begin(), result.node_bias.end(), 0.0f);
  return result;
}

std::vector<FffTrees> fixed_layers() {
  return {trees_of(1, 1, 1, 0, 0, false, 1),    trees_of(1, 1, 1, 0, 1, false, 2),    trees_of(64, 16, 1, 1, 0, true, 3),
          trees_of(65, 17, 3, 4, 0, false, 4),  trees_of(7, 300, 33, 2, 0, false, 5), trees_of(48, 48, 1, 9, 0, true, 6),
          trees_of(129, 33, 1, 3, 5, false, 7), trees_of(31, 31, 1, 0, 20, false, 8)};
}

// A library of the specialised kernels of the golden cases and the fixed layers, for every ISA that runs
// here.
void use_specialised_kernels() {
  static const ScratchFolder folder;
  static const bool built = [] {
    KernelLibraryRequest request;
    request.name = "fff_test_kernels";
    request.directory = folder.file("kernels");
    request.schedules_dirs = find_schedules({});
    request.generator = find_generator("");
    request.jobs = 2;
    const ScheduleSpaces spaces(request.schedules_dirs);
    std::vector<LayerShape> shapes;
    for (const std::string& name : golden_files()) shapes.emplace_back(Model(golden_path(name)).layers().front());
    for (const FffTrees& trees : fixed_layers()) {
      const std::vector<uint8_t> bytes = reference::fff_model_bytes(trees);
      shapes.emplace_back(Model(bytes.data(), bytes.size()).layers().front());
    }
    std::set<KernelSpec> seen;
    for (const std::string& isa : checks::runnable_isas()) {
      for (const LayerShape& shape : shapes) {
        for (const KernelSpec& spec : layer_kernels(spaces, shape, isa, "f32", "f32")) {
          if (seen.insert(spec).second) request.specs.push_back(spec);
        }
      }
    }
    build_kernel_library(request);
    load_kernels(request.directory);
    return true;
  }();
  ASSERT_TRUE(built);
}

Layer packed(const Model& model, const std::string& isa, lookupffn_kernels kernels) {
  PackOptions options{};
  options.isa = isa.c_str();
  options.kernels = kernels;
  return Layer(model, "", options);
}

struct Given {
  std::vector<int32_t> code;
  std::vector<float> score, y;
};

Given run(const Layer& layer, const Threads& threads, const float* x, size_t tokens) {
  const Shape shape = layer.info().shape;
  Given given{std::vector<int32_t>(tokens * shape.lookups), std::vector<float>(tokens * shape.lookups),
              std::vector<float>(tokens * shape.d_out)};
  layer.hash(&threads, x, ptrdiff_t(shape.d_in), given.code.data(), given.score.data(), tokens);
  layer.forward(threads, x, given.y.data(), tokens);
  return given;
}

void expect_rows(const std::vector<double>& expected, const std::vector<float>& given, size_t width, const char* what) {
  ASSERT_EQ(expected.size(), given.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double tolerance = reference::row_tolerance(&expected[i / width * width], width);
    ASSERT_NEAR(given[i], expected[i], tolerance) << what << " of token " << i / width << ", " << i % width;
  }
}

std::vector<float> floats_of(const SafetensorsFile& file, const std::string& name) {
  const TensorView* tensor = file.find(name);
  if (!tensor) return {};
  std::vector<float> values(tensor->elements());
  read_floats(*tensor, 0, values.size(), values.data());
  return values;
}

std::vector<int32_t> whole_numbers_of(const SafetensorsFile& file, const std::string& name) {
  const TensorView* tensor = file.find(name);
  if (!tensor) throw std::runtime_error(name + " is missing");
  std::vector<int64_t> values(tensor->elements());
  read_bytes(*tensor, 0, values.size() * sizeof(int64_t), values.data());
  return {values.begin(), values.end()};
}

class Golden : public testing::TestWithParam<std::string> {
 protected:
  // Every code as the published code has it, zero logits too; scores and y within the tolerances.
  void check(lookupffn_kernels kernels) {
    const std::string path = golden_path(GetParam());
    const Model model(path);
    const SafetensorsFile io(path);
    const Shape shape = model.layers().front();
    ASSERT_STREQ(shape.family, "fff");
    const std::vector<float> x = floats_of(io, "x"), logit = floats_of(io, "logit");
    const bool leaves = shape.block > 0;
    const std::vector<int32_t> code = whole_numbers_of(io, leaves ? "leaf" : "path");
    const size_t tokens = x.size() / shape.d_in;
    ASSERT_GT(tokens, 0u);
    std::vector<double> score(code.size(), 1.0);
    if (!leaves) std::transform(logit.begin(), logit.end(), score.begin(), [](float v) { return reference::exact_gelu(v); });
    std::vector<float> y = floats_of(io, leaves ? "y_with_b2" : "y");
    if (y.empty()) {  // the zeros of leaves: with the bias that eval_forward leaves out
      y = floats_of(io, "y_without_b2");
      const std::vector<float> b2 = floats_of(io, "b2s");
      for (size_t i = 0; i < y.size(); ++i) y[i] += b2[size_t(code[i / shape.d_out]) * shape.d_out + i % shape.d_out];
    }
    for (const std::string& isa : checks::runnable_isas()) {
      SCOPED_TRACE(isa);
      const Layer layer = packed(model, isa, kernels);
      EXPECT_EQ(layer.info().specialised != 0, kernels == LOOKUPFFN_SPECIALISED_KERNELS);
      const Given given = run(layer, Threads(1), x.data(), tokens);
      ASSERT_EQ(given.code, code);
      expect_rows(score, given.score, shape.lookups, "score");
      expect_rows({y.begin(), y.end()}, given.y, shape.d_out, "y");
      // One by one they are the same.
      for (size_t n = 0; n < tokens; ++n) {
        const Given one = run(layer, Threads(1), &x[n * shape.d_in], 1);
        ASSERT_EQ(std::memcmp(one.y.data(), &given.y[n * shape.d_out], shape.d_out * sizeof(float)), 0) << "token " << n;
      }
    }
  }
};

TEST_P(Golden, Generic) { check(LOOKUPFFN_GENERIC_KERNELS); }

TEST_P(Golden, Specialised) {
  if (kSanitized) GTEST_SKIP() << "the kernels are built without a sanitizer";
  use_specialised_kernels();
  check(LOOKUPFFN_SPECIALISED_KERNELS);
}

// What `lookupffn verify` says of the file by itself.
TEST_P(Golden, Verify) {
  const std::string path = golden_path(GetParam());
  const Model model(path);
  const SafetensorsFile io(path);
  const ModelLayer& source = find_layer(model.get(), nullptr);
  const Threads threads(1);
  const Layer layer = packed(model, checks::runnable_isas().back(), LOOKUPFFN_GENERIC_KERNELS);
  const reference::Verification found = reference::reference_family("fff").verify(io, source, *layer.get(), *threads.get());
  EXPECT_TRUE(found.passed()) << found.layer.wrong_codes << " wrong codes, score " << found.layer.score_of_tolerance << ", y "
                              << found.layer.y_of_tolerance << ", contradictions " << found.contradictions;
  EXPECT_GT(found.layer.codes, 0u);
  EXPECT_GT(found.layer.values, 0u);
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(golden_files()), [](const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(4, info.param.size() - 4 - std::strlen(".safetensors"));
  return name;
});

TEST(FffGolden, AllCasesAreThere) { EXPECT_EQ(golden_files().size(), 9u); }

// ---- made-up layers ----

// Everything that a layer gives for `counts` of tokens, against the twin; a token's bits against those of its
// first batch.
void check_layer(const FffTrees& trees, const std::string& isa, lookupffn_kernels kernels, const std::vector<size_t>& counts) {
  const FffShape& shape = trees.shape;
  SCOPED_TRACE("d_in " + std::to_string(shape.d_in) + ", d_out " + std::to_string(shape.d_out) + ", trees " +
               std::to_string(shape.trees) + ", depth " + std::to_string(shape.depth) + ", hidden " +
               std::to_string(shape.hidden) + (trees.zero_right ? ", zero right, " : ", ") + isa +
               ", LOOKUPFFN_TEST_SEED=" + std::to_string(checks::drawn_seed()));
  const std::vector<uint8_t> bytes = reference::fff_model_bytes(trees);
  const Model model(bytes.data(), bytes.size());
  const Layer layer = packed(model, isa, kernels);
  const size_t lookups = layer.info().shape.lookups, d_in = shape.d_in, d_out = shape.d_out;
  const size_t all = *std::max_element(counts.begin(), counts.end());
  const std::vector<float> x = reference::random_tokens(all, d_in, checks::drawn_seed());

  const Threads one(1);
  const Given whole = run(layer, one, x.data(), all);
  const reference::FffPaths paths = reference::follow(trees, x, reference::paths_of_codes(trees, whole.code));
  ASSERT_EQ(reference::wrong_turns(trees, paths), 0u);
  const std::vector<double> score = shape.has_leaves() ? std::vector<double>(all, 1.0) : paths.score;
  expect_rows(score, whole.score, lookups, "score");
  const std::vector<double> exact = reference::fff_outputs(trees, x, paths);
  expect_rows(exact, whole.y, d_out, "y");

  for (const size_t threads : {1, 2, 5}) {
    const Threads pool(threads);
    for (size_t c = 0; c < counts.size(); ++c) {
      const size_t count = counts[c], first = (7 * c) % (all - count + 1);
      const ptrdiff_t x_stride = c % 2 == 0 ? ptrdiff_t(d_in) + 3 : -ptrdiff_t(d_in),
                      y_stride = c % 3 == 0 ? -ptrdiff_t(d_out) - 1 : ptrdiff_t(d_out);
      SCOPED_TRACE(std::to_string(count) + " tokens from " + std::to_string(first) + " on " + std::to_string(threads) +
                   " threads");
      StridedRows in(count, d_in, x_stride, kNaN), out(count, d_out, y_stride, -7.25f);
      for (size_t n = 0; n < count; ++n) in.set_row(n, &x[(first + n) * d_in]);
      layer.forward(pool, in.row(0), x_stride, out.row(0), y_stride, count);
      ASSERT_EQ(out.touched_around(), 0u) << "forward wrote beside its rows";
      const std::vector<float> y = out.values();
      ASSERT_TRUE(count == 0 || std::memcmp(y.data(), &whole.y[first * d_out], y.size() * sizeof(float)) == 0)
          << "y depends on the batch";
      std::vector<int32_t> code(count * lookups + 1, -1);
      std::vector<float> token_score(count * lookups + 1, -7.25f);
      layer.hash(&pool, in.row(0), x_stride, code.data(), token_score.data(), count);
      ASSERT_TRUE(std::equal(code.begin(), code.end() - 1, whole.code.begin() + ptrdiff_t(first * lookups)));
      ASSERT_EQ(code.back(), -1);
      ASSERT_EQ(token_score.back(), -7.25f);
      if (d_in == d_out) {
        layer.forward(pool, in.row(0), x_stride, in.row(0), x_stride, count, LOOKUPFFN_ADD_RESIDUAL);
        const std::vector<float> sum = in.values();
        for (size_t i = 0; i < sum.size(); ++i)
          ASSERT_EQ(sum[i], whole.y[first * d_out + i] + x[first * d_in + i]) << "in place, with the residual";
      }
      if (shape.has_leaves()) continue;
      StridedRows gathered(count, d_out, y_stride, -7.25f);
      layer.gather(&pool, code.data(), token_score.data(), gathered.row(0), y_stride, count);
      ASSERT_TRUE(count == 0 || gathered.values() == y) << "gather's y is not forward's";
    }
  }
}

const std::vector<size_t> kCounts = {130, 0, 1, 2, 3, 7, 8, 9, 17, 63, 64, 65};

TEST(Fff, GenericKernelsAgreeWithTheTwin) {
  for (const std::string& isa : checks::runnable_isas()) {
    for (const FffTrees& trees : fixed_layers()) {
      check_layer(trees, isa, LOOKUPFFN_GENERIC_KERNELS, kCounts);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Fff, SpecialisedKernelsAgreeWithTheTwin) {
  if (kSanitized) GTEST_SKIP() << "the kernels are built without a sanitizer";
  use_specialised_kernels();
  for (const std::string& isa : checks::runnable_isas()) {
    for (const FffTrees& trees : fixed_layers()) {
      check_layer(trees, isa, LOOKUPFFN_SPECIALISED_KERNELS, kCounts);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Fff, ShapesDrawnAnewAgreeWithTheTwin) {
  std::mt19937 random(checks::drawn_seed());
  const auto draw = [&](size_t least, size_t most) { return least + random() % (most - least + 1); };
  for (int k = 0; k < 12; ++k) {
    const bool leaves = k % 3 == 2;
    const FffTrees trees =
        leaves ? trees_of(draw(1, 200), draw(1, 100), 1, draw(0, 6), draw(1, 40), false, random())
               : trees_of(draw(1, 200), draw(1, 100), k % 3 == 0 ? draw(1, 20) : 1, draw(0, 7), 0, k % 3 == 1, random());
    for (const std::string& isa : checks::runnable_isas()) check_layer(trees, isa, LOOKUPFFN_GENERIC_KERNELS, {40, 1, 0, 33});
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Fff, RowsThatAreNotFiniteStayTheirOwn) {
  if (!kSanitized) use_specialised_kernels();
  for (const FffTrees& trees : fixed_layers()) {
    const FffShape& shape = trees.shape;
    const std::vector<uint8_t> bytes = reference::fff_model_bytes(trees);
    const Model model(bytes.data(), bytes.size());
    for (const lookupffn_kernels kernels : {LOOKUPFFN_GENERIC_KERNELS, LOOKUPFFN_SPECIALISED_KERNELS}) {
      if (kSanitized && kernels == LOOKUPFFN_SPECIALISED_KERNELS) continue;
      for (const std::string& isa : checks::runnable_isas()) {
        SCOPED_TRACE(isa + ", d_in " + std::to_string(shape.d_in) + ", hidden " + std::to_string(shape.hidden));
        const Layer layer = packed(model, isa, kernels);
        const Threads one(1);
        std::vector<float> x = reference::random_tokens(9, shape.d_in, 5);
        const Given before = run(layer, one, x.data(), 9);
        const float bad[] = {kNaN, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
        for (size_t k = 0; k < 3; ++k) x[(3 * k + 1) * shape.d_in + k * (shape.d_in - 1) / 2] = bad[k];
        const Given after = run(layer, one, x.data(), 9);
        const size_t rows = layer.info().shape.rows;
        for (const int32_t code : after.code) ASSERT_LT(size_t(code), rows);
        for (size_t n = 0; n < 9; ++n) {
          for (size_t d = 0; d < shape.d_out; ++d) {
            const size_t i = n * shape.d_out + d;
            if (n % 3 == 1) {
              ASSERT_FALSE(std::isfinite(after.y[i])) << "token " << n << ", " << d;
            } else {
              ASSERT_EQ(after.y[i], before.y[i]) << "token " << n;
            }
          }
        }
      }
    }
  }
}

// ---- model files ----

std::string message_of(const std::vector<uint8_t>& bytes) {
  try {
    Model(bytes.data(), bytes.size());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<uint8_t> linear_file(size_t nodes, size_t out_nodes, const std::map<std::string, std::string>& metadata) {
  const std::vector<float> values(4 * (nodes + out_nodes), 0.5f);
  return safetensors_bytes({{"a.linear_in.weight", ElementType::kF32, {nodes, 3}, values.data()},
                            {"a.linear_in.bias", ElementType::kF32, {nodes}, values.data()},
                            {"a.linear_out.weight", ElementType::kF32, {2, out_nodes}, values.data()}},
                           metadata);
}

TEST(FffModelFile, TreesFollowFromSizesOrMetadata) {
  const auto shape_of = [](size_t nodes, const std::map<std::string, std::string>& metadata) {
    const std::vector<uint8_t> bytes = linear_file(nodes, nodes, metadata);
    Shape shape = Model(bytes.data(), bytes.size()).layers().front();
    return std::vector<size_t>{shape.tables, shape.rows, shape.lookups};
  };
  EXPECT_EQ(shape_of(15, {}), (std::vector<size_t>{1, 15, 4}));
  EXPECT_EQ(shape_of(15, {{"depth", "0"}}), (std::vector<size_t>{15, 1, 15}));
  EXPECT_EQ(shape_of(15, {{"trees", "5"}}), (std::vector<size_t>{5, 3, 10}));
  EXPECT_EQ(shape_of(21, {{"config", "{\"depth\": 2, \"parallel\": 3}"}}), (std::vector<size_t>{3, 7, 9}));
  EXPECT_NE(message_of(linear_file(21, 21, {})).find("say in __metadata__ how many 'trees'"), std::string::npos);
  EXPECT_NE(message_of(linear_file(21, 21, {{"trees", "4"}})).find("not the trees that __metadata__ tells of"),
            std::string::npos);
  EXPECT_NE(message_of(linear_file(21, 21, {{"trees", "0"}})).find("not the trees"), std::string::npos);
  EXPECT_NE(message_of(linear_file(21, 21, {{"depth", "99"}})).find("not the trees"), std::string::npos);
  EXPECT_NE(message_of(linear_file(21, 21, {{"trees", "3"}, {"depth", "1"}})).find("not the trees"), std::string::npos);
  EXPECT_NE(message_of(linear_file(21, 21, {{"trees", "three"}})).find("no number"), std::string::npos);
  EXPECT_NE(message_of(linear_file(15, 14, {})).find("linear_out.weight"), std::string::npos);
}

// Whatever a header says, a file is a model that packs and runs, or malformed with a message.
TEST(FffModelFile, DamagedHeadersAreRefused) {
  std::mt19937 random(checks::drawn_seed());
  size_t opened = 0, refused = 0;
  for (const char* name : {"fff.ufb_d33_depth0_p5.safetensors", "fff.leaf_zeros_d10_l3_o6_depth3.safetensors",
                           "fff.ufb_zeros_d16_depth4_p3.safetensors"}) {
    std::ifstream stream(golden_path(name), std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    uint64_t header = 0;
    std::memcpy(&header, whole.data(), sizeof header);
    for (int k = 0; k < 3000; ++k) {
      std::string bytes = whole;
      if (k % 10 == 0) bytes.resize(random() % bytes.size());
      for (int change = 1 + int(random() % 2); change > 0; --change) {
        const size_t at = 8 + random() % header;
        const bool digit = at < bytes.size() && std::isdigit(static_cast<unsigned char>(bytes[at])) != 0;
        if (at < bytes.size()) bytes[at] = digit || random() % 4 != 0 ? char('0' + random() % 10) : char(random() % 128);
      }
      SCOPED_TRACE(std::string(name) + ", " + std::to_string(k) +
                   ", LOOKUPFFN_TEST_SEED=" + std::to_string(checks::drawn_seed()));
      try {
        const Model model(bytes.data(), bytes.size());
        const Layer layer(model, model.layers().front().prefix, PackOptions{});
        run(layer, Threads(1), std::vector<float>(2 * layer.info().shape.d_in, 0.5f).data(), 2);
        ++opened;
      } catch (const Error& error) {
        ASSERT_EQ(error.status(), LOOKUPFFN_MALFORMED_MODEL) << error.what();
        ASSERT_STRNE(error.what(), "");
        ++refused;
      }
    }
  }
  EXPECT_GT(opened, 0u);
  EXPECT_GT(refused, 0u);
}

TEST(FffModelFile, OtherTableTypesAreRefused) {
  const Model model(golden_path("fff.bmm_d40_o24_depth6.safetensors"));
  PackOptions options{};
  options.table_type = LOOKUPFFN_BF16;
  try {
    Layer(model, "", options);
    FAIL() << "packed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has f32 tables"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lookupffn
