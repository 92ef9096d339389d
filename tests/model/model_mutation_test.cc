// Mangled model files by the thousand: each opens or is refused with a message, and nothing reads past the
// end.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "float_types.h"
#include "guarded_bytes.h"
#include "lookupffn_layer.h"
#include "model.h"
#include "plain_layer.h"
#include "reference/reference_family.h"

namespace lookupffn {
namespace {

using Bytes = std::vector<uint8_t>;

// Opens the bytes and, where they are a model, reads all values of all layers.
lookupffn_status open_and_read(const Bytes& bytes) {
  const GuardedBytes guarded(bytes);
  lookupffn_model* model = nullptr;
  const lookupffn_status status = lookupffn_model_open_memory(guarded.data(), guarded.size(), &model);
  if (status != LOOKUPFFN_OK) {
    EXPECT_EQ(model, nullptr);
    EXPECT_GT(std::string(lookupffn_last_message()).size(), 10u);
    return status;
  }
  for (const auto& layer : model->layers) {
    const std::string family = layer->shape().family;
    EXPECT_NE(reference::reference_family(family).twin(*layer, LOOKUPFFN_F32, LOOKUPFFN_F32), nullptr);
    if (family != "lookupffn") continue;
    const reference::Layer values = reference::layer_from(weights_of(*layer));
    EXPECT_EQ(values.table.size(), values.shape.tables * values.shape.rows * values.shape.d_out);
    EXPECT_EQ(values.gamma.size(), values.shape.d_in);
  }
  lookupffn_model_close(model);
  return status;
}

Bytes bytes_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  return {text.begin(), text.end()};
}

bool says_valid(const std::filesystem::path& path) { return path.filename().string().rfind("valid_", 0) == 0; }

// Layers of LookupFFN, and what the fuzzer's corpus has of all families.
std::vector<Bytes> seeds() {
  using reference::bh4_shape;
  using reference::dense_shape;
  using reference::model_bytes;
  using reference::random_layer;
  const reference::Layer dense = random_layer(dense_shape(3, 2, 2, 1), 1), bh4 = random_layer(bh4_shape(3, 2, 5, 2, 2), 2);
  std::vector<Bytes> all = {model_bytes(dense, "", ElementType::kF32), model_bytes(dense, "layer.1.", ElementType::kF16),
                            model_bytes(bh4, "", ElementType::kBF16),
                            model_bytes(bh4, "encoder.layer.3.FFN.", ElementType::kF32),
                            model_bytes({{"a.", &dense}, {"b.", &bh4}}, ElementType::kF16)};
  std::set<std::filesystem::path> corpus;  // sorted, so that a seed repeats a run anywhere
  for (const auto& entry : std::filesystem::directory_iterator(LOOKUPFFN_CORPUS)) corpus.insert(entry.path());
  for (const std::filesystem::path& path : corpus) {
    if (says_valid(path)) all.push_back(bytes_of(path));
  }
  return all;
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  Bytes mutate(const std::vector<Bytes>& seeds) {
    Bytes bytes = seeds[below(seeds.size())];
    for (size_t count = 1 + below(3); count > 0; --count) change(bytes, seeds);
    return bytes;
  }

 private:
  size_t below(size_t end) { return end == 0 ? 0 : static_cast<size_t>(random_() % end); }

  size_t header_end(const Bytes& bytes) {
    uint64_t length = 0;
    for (size_t i = 0; i < 8 && i < bytes.size(); ++i) length |= uint64_t{bytes[i]} << (8 * i);
    return length < bytes.size() ? std::min(bytes.size(), static_cast<size_t>(length) + 8) : bytes.size();
  }

  void change(Bytes& bytes, const std::vector<Bytes>& seeds) {
    if (bytes.empty()) return;
    const size_t header = header_end(bytes);
    const size_t place = below(2) == 0 ? below(header) : below(bytes.size());
    switch (below(8)) {
      case 0:
        bytes[place] ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1:
        bytes[place] = static_cast<uint8_t>(random_());
        break;
      case 2:
        bytes.resize(below(bytes.size() + 1));
        break;
      case 3:
        bytes.insert(bytes.end(), 1 + below(16), 0);
        break;
      case 4:
        bytes[below(std::min<size_t>(8, bytes.size()))] = static_cast<uint8_t>(random_());
        break;
      case 5: {  // part of another file over this one's
        const Bytes& other = seeds[below(seeds.size())];
        const size_t from = below(other.size()), size = std::min({below(64), other.size() - from, bytes.size() - place});
        std::copy_n(other.begin() + static_cast<ptrdiff_t>(from), size, bytes.begin() + static_cast<ptrdiff_t>(place));
        break;
      }
      default:
        change_header(bytes, header);
    }
  }

  // Replaces a run of digits, or a piece, of the header and keeps the length field right, so that what lies
  // behind the JSON is reached.
  void change_header(Bytes& bytes, size_t end) {
    static const char* const kPieces[] = {"0",
                                          "1",
                                          "-1",
                                          "2",
                                          "3",
                                          "8",
                                          "18446744073709551615",
                                          "4294967296",
                                          "1e9",
                                          "9223372036854775808",
                                          "\"F16\"",
                                          "\"BF16\"",
                                          "\"F64\"",
                                          "[]",
                                          "{}",
                                          "null",
                                          ",",
                                          "]",
                                          "}",
                                          "\"",
                                          "1,1",
                                          "\"bias\"",
                                          "\"tables\""};
    const std::string piece = kPieces[below(std::size(kPieces))];
    size_t begin = 8 + below(end > 8 ? end - 8 : 0);
    if (begin >= end) return;
    auto digit = [&](size_t i) { return bytes[i] >= '0' && bytes[i] <= '9'; };
    if (below(4) != 0) {
      while (begin < end && !digit(begin)) ++begin;
    }
    size_t stop = begin;
    while (stop < end && digit(stop)) ++stop;
    bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.begin() + static_cast<ptrdiff_t>(stop));
    bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(begin), piece.begin(), piece.end());
    const uint64_t length = end - 8 - (stop - begin) + piece.size();
    for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(length >> (8 * i));
  }

  std::mt19937_64 random_;
};

// LOOKUPFFN_MUTATION_SEED repeats a run; each mangled file has a seed of its own, counted from it.
uint64_t first_seed() {
  const char* text = std::getenv("LOOKUPFFN_MUTATION_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}() * uint64_t{1'000'000};
}

TEST(ModelMutation, NoCrashAndOneMessage) {
  const std::vector<Bytes> files = seeds();
  for (const Bytes& file : files) ASSERT_EQ(open_and_read(file), LOOKUPFFN_OK) << lookupffn_last_message();
  const uint64_t first = first_seed();
  std::cout << "LOOKUPFFN_MUTATION_SEED=" << first << std::endl;
  constexpr size_t kFiles = 20'000;
  size_t opened = 0;
  for (uint64_t seed = first; seed < first + kFiles; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const lookupffn_status status = open_and_read(Mutator(seed).mutate(files));
    ASSERT_TRUE(status == LOOKUPFFN_OK || status == LOOKUPFFN_MALFORMED_MODEL) << lookupffn_last_message();
    if (status == LOOKUPFFN_OK) ++opened;
  }
  // Changes of values leave a model a model: were none or all to open, the mutations would miss the reader.
  EXPECT_GT(opened, kFiles / 100);
  EXPECT_LT(opened, kFiles / 2);
}

TEST(ModelMutation, EveryTruncationIsRefused) {
  for (const Bytes& file : seeds()) {
    for (size_t size = 0; size < file.size(); ++size) {
      ASSERT_EQ(open_and_read(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size))), LOOKUPFFN_MALFORMED_MODEL)
          << size;
    }
  }
}

// The fuzzer's corpus says by its names what its files are.
TEST(ModelMutation, TheFuzzersCorpusIsWhatItSays) {
  size_t valid = 0, malformed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(LOOKUPFFN_CORPUS)) {
    const bool good = says_valid(entry.path());
    EXPECT_EQ(open_and_read(bytes_of(entry.path())), good ? LOOKUPFFN_OK : LOOKUPFFN_MALFORMED_MODEL)
        << entry.path() << ": " << lookupffn_last_message();
    ++(good ? valid : malformed);
  }
  EXPECT_GE(valid, 6u);
  EXPECT_GE(malformed, 6u);
}

}  // namespace
}  // namespace lookupffn
