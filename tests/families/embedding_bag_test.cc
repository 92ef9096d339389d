// Embedding bags: golden cases, made-up ones against the twin, what must not change a bit, and what is refused.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "model.h"
#include "reference/reference_family.h"
#include "safetensors.h"
#include "safetensors_writer.h"
#include "strided_rows.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

using reference::Input;
using reference::Stage;

constexpr lookupffn_kernels kKinds[] = {LOOKUPFFN_GENERIC_KERNELS, LOOKUPFFN_SPECIALISED_KERNELS};
// Widths whose packed rows the library embedding_bag_kernels has kernels for, besides 1 to 80: family_embedding_bag.cmake.
const std::vector<size_t> kWide = {130, 512, 1033, 1040};

const reference::ReferenceFamily& family() { return reference::reference_family("embedding_bag"); }

std::vector<lookupffn_type> table_types() {
  std::vector<lookupffn_type> types;
  for (const WeightType& type : kWeightTypes) {
    if (type.for_tables) types.push_back(type.type);
  }
  return types;
}

Layer pack(const Model& model, const std::string& isa, lookupffn_kernels kernels, lookupffn_type type,
           const std::string& prefix = "") {
  PackOptions options{};
  options.isa = isa.c_str();
  options.kernels = kernels;
  options.table_type = type;
  return Layer(model, prefix, options);
}

void forward(const Layer& layer, const Threads& threads, const Input& bags, float* y, ptrdiff_t y_stride) {
  layer.forward_ids(&threads, bags.ids.data(), bags.ids.size(), bags.offsets.data(), bags.offsets.size(),
                    bags.weights.empty() ? nullptr : bags.weights.data(), y, y_stride,
                    bags.mean ? unsigned(LOOKUPFFN_MEAN) : 0u);
}

std::vector<float> forward(const Layer& layer, const Threads& threads, const Input& bags) {
  const size_t d_out = layer.shape().d_out;
  std::vector<float> y(bags.offsets.size() * d_out, -1);
  forward(layer, threads, bags, y.data(), ptrdiff_t(d_out));
  return y;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

class EmbeddingBag : public testing::Test {
 protected:
  static void SetUpTestSuite() { load_kernels(std::string(LOOKUPFFN_TEST_BAG_KERNELS)); }

  // A model of random rows.
  const Model& model(size_t rows, size_t d_out, uint64_t seed) {
    lookupffn_shape shape{};
    shape.rows = rows;
    shape.d_out = d_out;
    bytes_ = family().random_model(shape, seed);
    model_ = std::make_unique<Model>(bytes_.data(), bytes_.size());
    return *model_;
  }

  // The message of a call that must fail with this status.
  template <class Call>
  std::string refusal(lookupffn_status status, Call call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), status) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "it was not refused";
    return "";
  }

 private:
  std::vector<uint8_t> bytes_;
  std::unique_ptr<Model> model_;
};

TEST_F(EmbeddingBag, GoldenCases) {
  size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(LOOKUPFFN_TEST_DATA "/families")) {
    const std::string path = entry.path().string(), name = entry.path().filename().string();
    if (name.rfind("embedding_bag.", 0) != 0 || entry.path().extension() != ".safetensors") continue;
    SCOPED_TRACE(name);
    ++cases;
    const Model model(path);
    const SafetensorsFile io(path);
    const ModelLayer& source = find_layer(model.get(), "");
    EXPECT_TRUE(family().expects(io, source));
    const Threads threads(2);
    for (const std::string& isa : checks::runnable_isas()) {
      for (const lookupffn_kernels kernels : kKinds) {
        for (const lookupffn_type type : table_types()) {
          SCOPED_TRACE(isa + " " + type_name(type) + " kernels " + std::to_string(kernels));
          const Layer layer = pack(model, isa, kernels, type);
          EXPECT_EQ(layer.info().specialised != 0, kernels == LOOKUPFFN_SPECIALISED_KERNELS);
          const reference::Verification found = family().verify(io, source, *layer.get(), *threads.get());
          EXPECT_TRUE(found.passed()) << found.layer.y_of_tolerance << " times the tolerance";
          EXPECT_EQ(found.layer.values, 3 * found.layer.tokens * layer.shape().d_out) << "sum, mean and weighted sum";
        }
      }
    }
  }
  EXPECT_GE(cases, 6u);
}

TEST_F(EmbeddingBag, AWrongResultIsOutOfTolerance) {
  const Model& source = model(50, 20, 3);
  const auto twin = family().twin(find_layer(source.get(), ""), LOOKUPFFN_F32, LOOKUPFFN_F32);
  const Input bags = twin->random_input(Stage::kForwardIds, 9, 4);
  reference::Results given;
  given.y = forward(Layer(source), Threads(1), bags);
  EXPECT_TRUE(twin->judge(Stage::kForwardIds, bags, given).passed());
  given.y[37] += 0.01f;
  EXPECT_FALSE(twin->judge(Stage::kForwardIds, bags, given).passed());
}

// Every width, mode and type on every ISA: right, and of the same bits on any kernels, threads and strides, alone or among
// others.
TEST_F(EmbeddingBag, AgreesWithTheTwinBitForBitOnAnyThreads) {
  const uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  std::vector<size_t> widths;
  for (size_t d = 1; d <= 70; ++d) widths.push_back(d);
  widths.insert(widths.end(), kWide.begin(), kWide.end());
  const Threads one(1), three(3), seven(7);
  for (const size_t d_out : widths) {
    const size_t rows = random() % 3 == 0 ? 1 + random() % 9 : 4000 + random() % 5000;
    const Model& source = model(rows, d_out, random());
    for (const lookupffn_type type : table_types()) {
      const auto twin = family().twin(find_layer(source.get(), ""), type, LOOKUPFFN_F32);
      // Few bags, and enough for several calls of a kernel.
      const Input bags = twin->random_input(Stage::kForwardIds, random() % 4 == 0 ? 300 : 1 + random() % 30, random());
      const size_t count = bags.offsets.size();
      for (const std::string& isa : checks::runnable_isas()) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", rows " + std::to_string(rows) + ", d_out " + std::to_string(d_out) +
                     ", " + isa + " " + type_name(type) + ", " + std::to_string(count) + " bags");
        std::vector<float> first;
        for (const lookupffn_kernels kernels : kKinds) {
          const Layer layer = pack(source, isa, kernels, type);
          reference::Results given;
          given.y = forward(layer, one, bags);
          const reference::Verdict verdict = twin->judge(Stage::kForwardIds, bags, given);
          ASSERT_TRUE(verdict.passed()) << verdict.y_of_tolerance << " times the tolerance";
          if (first.empty()) first = given.y;
          ASSERT_TRUE(same_bits(first, given.y)) << "generic and specialised kernels differ";
          ASSERT_TRUE(same_bits(first, forward(layer, three, bags)));
          ASSERT_TRUE(same_bits(first, forward(layer, seven, bags)));
          for (const ptrdiff_t stride : {ptrdiff_t(d_out) + 3, -ptrdiff_t(d_out) - 16, (ptrdiff_t(1) << 18) + 1}) {
            StridedRows y(count, d_out, stride, -7.5f);
            forward(layer, three, bags, y.row(0), stride);
            ASSERT_TRUE(same_bits(first, y.values())) << "stride " << stride;
            ASSERT_EQ(y.touched_around(), 0u) << "stride " << stride;
          }
          // One bag by itself, whose ids end where they end.
          const size_t b = random() % count;
          const size_t begin = size_t(bags.offsets[b]), end = b + 1 < count ? size_t(bags.offsets[b + 1]) : bags.ids.size();
          Input alone;
          alone.ids.assign(bags.ids.begin() + ptrdiff_t(begin), bags.ids.begin() + ptrdiff_t(end));
          if (!bags.weights.empty())
            alone.weights.assign(bags.weights.begin() + ptrdiff_t(begin), bags.weights.begin() + ptrdiff_t(end));
          alone.offsets = {0};
          alone.mean = bags.mean;
          const std::vector<float> of_bag(first.begin() + ptrdiff_t(b * d_out), first.begin() + ptrdiff_t((b + 1) * d_out));
          ASSERT_TRUE(same_bits(of_bag, forward(layer, one, alone)));
        }
      }
    }
  }
}

TEST_F(EmbeddingBag, FewLongBagsAreSharedByColumns) {
  for (const size_t d_out : {512, 1033}) {
    const Model& source = model(3000, d_out, 11);
    Input bags;
    std::mt19937_64 random(12);
    for (size_t i = 0; i < 5000; ++i) bags.ids.push_back(int64_t(random() % 3000));
    bags.offsets = {0, 4990};
    for (const lookupffn_kernels kernels : kKinds) {
      const Layer layer = pack(source, active_isa(), kernels, LOOKUPFFN_F32);
      const std::vector<float> expected = forward(layer, Threads(1), bags);
      for (const size_t threads : {3, 4, 5, 8})
        EXPECT_TRUE(same_bits(expected, forward(layer, Threads(threads), bags))) << threads;
    }
  }
}

TEST_F(EmbeddingBag, WithoutWeightsIsAsWithOnes) {
  const Model& source = model(500, 48, 5);
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type type : table_types()) {
      const Layer layer = pack(source, isa, LOOKUPFFN_GENERIC_KERNELS, type);
      Input bags;
      for (int64_t i = 0; i < 100; ++i) bags.ids.push_back(i * 7 % 500);
      bags.offsets = {0, 31, 31, 99};
      const std::vector<float> without = forward(layer, Threads(1), bags);
      bags.weights.assign(bags.ids.size(), 1.0f);
      EXPECT_TRUE(same_bits(without, forward(layer, Threads(1), bags))) << isa << " " << type_name(type);
    }
  }
}

TEST_F(EmbeddingBag, NoIdsAndNoBags) {
  const Layer layer(model(3, 5, 6));
  const std::vector<int64_t> offsets = {0, 0, 0};
  for (const unsigned flags : {0u, unsigned(LOOKUPFFN_MEAN)}) {
    std::vector<float> y(15, -1);
    layer.forward_ids(nullptr, 0, offsets.data(), 3, y.data(), flags);
    EXPECT_EQ(y, std::vector<float>(15, 0.0f));
  }
  std::vector<float> y(5, -1);
  const int64_t id = 2;
  layer.forward_ids(&id, 1, offsets.data(), 0, y.data());
  layer.forward_ids(nullptr, 0, nullptr, 0, nullptr);
  EXPECT_EQ(y, std::vector<float>(5, -1.0f)) << "no bags: nothing is written";
}

TEST_F(EmbeddingBag, RefusesIdsOutOfRangeAndWritesNothing) {
  const Layer layer(model(1000, 16, 7));
  std::vector<int64_t> ids(2000, 999);
  const std::vector<int64_t> offsets = {0, 1000};
  for (const int64_t wrong : {int64_t(1000), int64_t(-1), std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::min(), int64_t(1) << 32}) {
    ids[1500] = ids[1999] = wrong;
    std::vector<float> y(32, -1);
    const std::string message =
        refusal(LOOKUPFFN_INVALID_ARGUMENT, [&] { layer.forward_ids(ids.data(), ids.size(), offsets.data(), 2, y.data()); });
    EXPECT_NE(message.find("ids[1500] is " + std::to_string(wrong) + "; rows are 0 to 999"), std::string::npos) << message;
    EXPECT_EQ(y, std::vector<float>(32, -1.0f));
  }
}

TEST_F(EmbeddingBag, RefusesWhatItCannotDo) {
  const Layer layer(model(10, 4, 8));
  const std::vector<int64_t> ids(6, 1), descending = {0, 4, 3}, beyond = {0, 7}, negative = {-1};
  std::vector<float> y(12), x(4), weights(6);
  const auto call = [&](const std::vector<int64_t>& offsets) {
    layer.forward_ids(ids.data(), ids.size(), offsets.data(), offsets.size(), y.data());
  };
  for (const auto* offsets : {&descending, &beyond, &negative}) refusal(LOOKUPFFN_INVALID_ARGUMENT, [&] { call(*offsets); });
  const int64_t zero = 0;
  refusal(LOOKUPFFN_INVALID_ARGUMENT,
          [&] { layer.forward_ids(nullptr, ids.data(), 6, &zero, 1, weights.data(), y.data(), 4, LOOKUPFFN_MEAN); });
  const std::string message = refusal(LOOKUPFFN_INVALID_ARGUMENT, [&] { layer.forward(x.data(), y.data(), 1); });
  EXPECT_NE(message.find("lookupffn_forward_ids"), std::string::npos) << message;
}

TEST_F(EmbeddingBag, SaysWhatItIs) {
  const Layer layer(model(10, 5, 8));
  const LayerInfo info = layer.info();
  EXPECT_STREQ(info.shape.family, "embedding_bag");
  EXPECT_EQ(info.shape.d_in, 0u);
  EXPECT_EQ(info.shape.d_out, 5u);
  EXPECT_EQ(info.shape.rows, 10u);
  EXPECT_EQ(info.shape.tables, 1u);
  EXPECT_EQ(info.table_bytes, 10u * 16 * 4);
  EXPECT_EQ(info.projection_bytes, 0u);
}

// ---- the model file

struct FileCase {
  const char* name;
  std::vector<size_t> shape;
  bool says_family;
  const char* prefix;  // of the layer; NULL: there is none, or it is refused
};

TEST_F(EmbeddingBag, ModelFilesAreToldByTheirNames) {
  const std::vector<float> values(24, 0.5f);
  for (const FileCase& one :
       {FileCase{"embedding_bag.weight", {6, 4}, false, ""}, FileCase{"a.embedding_bag.weight", {6, 4}, true, "a."},
        FileCase{"weight", {24, 1}, true, ""}, FileCase{"model.words.weight", {1, 24}, true, "model.words."},
        FileCase{"weight", {6, 4}, false, nullptr}, FileCase{"my_embedding_bag.weight", {6, 4}, false, nullptr},
        FileCase{"embedding_bag.weight", {24}, false, nullptr}, FileCase{"embedding_bag.weight", {2, 3, 4}, false, nullptr},
        FileCase{"embedding_bag.weight", {0, 4}, false, nullptr}, FileCase{"embedding_bag.weight", {4, 0}, false, nullptr}}) {
    SCOPED_TRACE(one.name);
    std::map<std::string, std::string> metadata;
    if (one.says_family) metadata["family"] = "embedding_bag";
    const std::vector<uint8_t> bytes = safetensors_bytes({{one.name, ElementType::kF32, one.shape, values.data()}}, metadata);
    if (!one.prefix) {
      refusal(LOOKUPFFN_MALFORMED_MODEL, [&] { Model(bytes.data(), bytes.size()); });
      continue;
    }
    const Model model(bytes.data(), bytes.size());
    ASSERT_EQ(model.layer_count(), 1u);
    EXPECT_STREQ(model.layer(0).prefix, one.prefix);
    EXPECT_EQ(model.layer(0).rows, one.shape[0]);
    EXPECT_EQ(model.layer(0).d_out, one.shape[1]);
  }
}

TEST_F(EmbeddingBag, RowsThatAreNotFiniteAreRefused) {
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(24, 0.5f);
    values[17] = wrong;
    const std::vector<uint8_t> bytes = safetensors_bytes({{"embedding_bag.weight", ElementType::kF32, {6, 4}, values.data()}});
    const std::string message = refusal(LOOKUPFFN_MALFORMED_MODEL, [&] { Model(bytes.data(), bytes.size()); });
    EXPECT_NE(message.find("element 17"), std::string::npos) << message;
  }
}

// ---- more elements than 32 bits count

constexpr size_t kManyRows = (size_t(1) << 22) + 5000, kManyColumns = 512;

// A model of zeros, whose pages take no memory until they are written.
class SparseModel {
 public:
  SparseModel() {
    std::string header = "{\"embedding_bag.weight\":{\"dtype\":\"BF16\",\"shape\":[" + std::to_string(kManyRows) + "," +
                         std::to_string(kManyColumns) + "],\"data_offsets\":[0," +
                         std::to_string(kManyRows * kManyColumns * 2) + "]}}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    size_ = 8 + header.size() + kManyRows * kManyColumns * 2;
    bytes_ =
        static_cast<char*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (bytes_ == MAP_FAILED) throw std::bad_alloc();
    ::madvise(bytes_, size_, MADV_NOHUGEPAGE);
    const uint64_t header_size = header.size();
    std::memcpy(bytes_, &header_size, 8);
    std::memcpy(bytes_ + 8, header.data(), header.size());
    rows_ = reinterpret_cast<uint16_t*>(bytes_ + 8 + header.size());
  }
  ~SparseModel() { ::munmap(bytes_, size_); }
  SparseModel(const SparseModel&) = delete;

  // All of a row is `value`, which bf16 holds.
  void set_row(size_t row, float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    std::fill_n(rows_ + row * kManyColumns, kManyColumns, uint16_t(bits >> 16));
  }
  const char* bytes() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  char* bytes_;
  size_t size_;
  uint16_t* rows_;
};

class LargeBagSlow : public EmbeddingBag {};

TEST_F(LargeBagSlow, RowsBeyondTwoToThe31Elements) {
  if (size_t(::sysconf(_SC_AVPHYS_PAGES)) * size_t(::sysconf(_SC_PAGESIZE)) < size_t(8) << 30) {
    GTEST_SKIP() << "needs 8 GiB of free memory";
  }
  SparseModel bytes;
  const std::vector<int64_t> ids = {
      int64_t(kManyRows) - 1, 0, int64_t(1) << 22, (int64_t(1) << 22) - 1, int64_t(1) << 21, 4095, 4096};
  float total = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    bytes.set_row(size_t(ids[i]), float(int64_t(1) << i));
    total += float(int64_t(1) << i);
  }
  const Model model(bytes.bytes(), bytes.size());
  const std::vector<int64_t> offsets = {0, 1, 2, 3, 4, 5, 6};
  const int64_t all = 0;
  for (const lookupffn_type type : {LOOKUPFFN_I8, LOOKUPFFN_BF16}) {
    for (const lookupffn_kernels kernels : kKinds) {
      const Layer layer = pack(model, active_isa(), kernels, type);
      std::vector<float> y(ids.size() * kManyColumns);
      layer.forward_ids(ids.data(), ids.size(), offsets.data(), offsets.size(), y.data());
      for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], float(int64_t(1) << (i / kManyColumns)), 1e-4) << i;
      layer.forward_ids(ids.data(), ids.size(), &all, 1, y.data());
      for (size_t d = 0; d < kManyColumns; ++d) ASSERT_NEAR(y[d], total, 1e-3);
    }
  }
}

}  // namespace
}  // namespace lookupffn
