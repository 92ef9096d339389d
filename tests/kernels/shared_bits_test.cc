// Which ISAs give the same bits of y: those that round multiply-adds alike, and sum rows of bytes alike, whatever their
// architecture. tests/data/y_bits.txt has a hash of y for each golden case, type of tables and kind of arithmetic, so that
// every build, for whatever CPU, is compared with every other one. docs/isas.md says which ISA has which.
//
// Where the order of a sum was changed on purpose, on a machine that runs ISAs of all three kinds:
//   build/test/tests/shared_bits_test | sed -n 's/^bits: //p' | sort -u > tests/data/y_bits.txt
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "golden.h"
#include "isas.h"
#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"

namespace lookupffn {
namespace {

const std::string kData = LOOKUPFFN_TEST_DATA;

// What bits of y depend on.
std::string arithmetic(const std::string& isa) {
  if (!isa_has(isa, kFma)) return "rounds_twice";
  return isa_has(isa, kByteDots) ? "fma_byte_dots" : "fma";
}

uint64_t fnv1a(const std::vector<float>& values) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (size_t i = 0; i < values.size() * sizeof(float); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

std::set<std::string> known_lines() {
  std::set<std::string> lines;
  std::ifstream file(kData + "/y_bits.txt");
  for (std::string line; std::getline(file, line);) lines.insert(line);
  return lines;
}

class SharedBits : public testing::TestWithParam<std::string> {};

TEST_P(SharedBits, AreThoseOfOtherMachines) {
  const std::set<std::string> known = known_lines();
  const reference::Golden golden = reference::read_golden(kData + "/golden", GetParam());
  const Model model(golden.model_path);
  const Threads one(1);
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type type : checks::table_types()) {
      PackOptions options{};
      options.isa = isa.c_str();
      options.kernels = LOOKUPFFN_GENERIC_KERNELS;
      options.table_type = type;
      const Layer layer(model, model.layer(0).prefix, options);
      std::vector<float> y(golden.tokens * layer.shape().d_out);
      layer.forward(one, golden.x.data(), y.data(), golden.tokens);
      char hash[17];
      std::snprintf(hash, sizeof hash, "%016" PRIx64, fnv1a(y));
      const std::string line = GetParam() + " " + lookupffn_type_name(type) + " " + arithmetic(isa) + " " + hash;
      std::printf("bits: %s\n", line.c_str());
      EXPECT_EQ(known.count(line), 1u) << "of " << isa << ": " << line << " is not in tests/data/y_bits.txt";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, SharedBits, testing::ValuesIn(reference::golden_names(kData + "/golden")),
                         [](const testing::TestParamInfo<std::string>& info) { return info.param; });

}  // namespace
}  // namespace lookupffn
