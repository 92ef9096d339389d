#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "compiler_family.h"
#include "isa_target.h"
#include "isas.h"
#include "schedule_spaces.h"
#include "weight_types.h"
#include "workload.h"

namespace lookupffn {
namespace {

const char kSpace[] = R"({
  "schema": 1, "kernel": "toy",
  "parameters": [{"name": "tile", "doc": "t", "values": [1, 2, 4, 8]},
                 {"name": "order", "doc": "o", "values": ["rows", "columns"]},
                 {"name": "unroll", "doc": "u", "values": [1, 2, 4]}],
  "definitions": [{"name": "half", "expr": "tile / 2"}, {"name": "quarter", "expr": "half / 2"}],
  "conditions": [{"expr": "size % tile == 0", "if_not_message": "tile does not divide the size"},
                 {"expr": "unroll == 1 || quarter >= 1 && order == 'rows'", "if_not_message": "no unrolling there"}],
  "defaults": [{"when": "class == 'one'", "schedule": {"tile": 1, "order": "rows", "unroll": 1}},
               {"when": "true", "schedule": {"tile": 8, "order": "rows", "unroll": 4}}]
})";

KernelSpec toy(int size, const std::string& batch_class = "large") {
  KernelSpec spec;
  spec.kernel = "toy";
  spec.isa = "avx2";
  spec.batch_class = batch_class;
  spec.problem = {{"size", std::to_string(size)}};
  return spec;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    ScheduleSpace::parse(text, "toy.json");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(ScheduleSpace, EnumerationIsWhatLegalSays) {
  const ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy.json");
  EXPECT_EQ(space.combinations(), 24u);
  for (const int size : {1, 2, 4, 8, 12}) {
    std::set<Schedule> legal;
    for (const char* tile : {"1", "2", "4", "8"}) {
      for (const char* order : {"rows", "columns"}) {
        for (const char* unroll : {"1", "2", "4"}) {
          const Schedule schedule = {{"tile", tile}, {"order", order}, {"unroll", unroll}};
          if (space.legal(toy(size), schedule)) legal.insert(schedule);
        }
      }
    }
    const auto found = space.enumerate(toy(size));
    EXPECT_EQ(std::set<Schedule>(found.begin(), found.end()), legal) << size;
    EXPECT_EQ(found.size(), legal.size()) << size;
    EXPECT_EQ(space.legal_count(toy(size)), legal.size());
  }
  // size 8: 4 tiles x 2 orders without unrolling, and tiles 4 and 8 in rows with two unrolls.
  EXPECT_EQ(space.legal_count(toy(8)), 12u);
  EXPECT_EQ(space.enumerate(toy(8), 5).size(), 5u);
}

TEST(ScheduleSpace, SamplesAreLegalAndFromEverywhere) {
  const ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy.json");
  const std::vector<Schedule> all = space.enumerate(toy(8));
  EXPECT_EQ(space.sample(toy(8), all.size(), 1), all);
  std::set<Schedule> drawn;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<Schedule> sample = space.sample(toy(8), 4, seed);
    ASSERT_EQ(sample.size(), 4u);
    EXPECT_EQ(std::set<Schedule>(sample.begin(), sample.end()).size(), 4u);
    EXPECT_EQ(space.sample(toy(8), 4, seed), sample);
    drawn.insert(sample.begin(), sample.end());
  }
  EXPECT_EQ(drawn, std::set<Schedule>(all.begin(), all.end()));
}

TEST(ScheduleSpace, NearDiffersInFewValues) {
  const ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy.json");
  const Schedule here = {{"tile", "4"}, {"order", "rows"}, {"unroll", "2"}};
  for (const size_t changes : {1, 2, 3}) {
    std::set<Schedule> expected;
    for (const Schedule& other : space.enumerate(toy(8))) {
      size_t differ = 0;
      for (const auto& [name, value] : other) differ += here.at(name) != value;
      if (differ > 0 && differ <= changes) expected.insert(other);
    }
    const std::vector<Schedule> near = space.near(toy(8), here, changes);
    EXPECT_EQ(std::set<Schedule>(near.begin(), near.end()), expected) << changes;
    EXPECT_EQ(near.size(), expected.size()) << changes;
  }
}

TEST(ScheduleSpace, LegalSaysWhyNot) {
  const ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy.json");
  std::string why;
  EXPECT_FALSE(space.legal(toy(4), {{"tile", "8"}, {"order", "rows"}, {"unroll", "1"}}, &why));
  EXPECT_EQ(why, "tile does not divide the size");
  EXPECT_FALSE(space.legal(toy(4), {{"tile", "3"}, {"order", "rows"}, {"unroll", "1"}}, &why));
  EXPECT_EQ(why, "'tile' cannot be 3; its values are 1, 2, 4, 8");
  EXPECT_FALSE(space.legal(toy(4), {{"tile", "1"}, {"order", "rows"}}, &why));
  EXPECT_EQ(why, "parameter 'unroll' is missing");
  EXPECT_FALSE(space.legal(toy(4), {{"tile", "1"}, {"order", "rows"}, {"unroll", "1"}, {"x", "1"}}, &why));
  EXPECT_EQ(why, "there is no parameter 'x'");
}

// A parameter that came later: what was written before has its neutral value.
TEST(ScheduleSpace, WhatLacksAParameterHasItsNeutralValue) {
  const std::string younger = with(kSpace, "\"values\": [1, 2, 4]}", "\"values\": [1, 2, 4], \"neutral\": 2}");
  const std::string text =
      with(younger, "{\"tile\": 8, \"order\": \"rows\", \"unroll\": 4}", "{\"tile\": 8, \"order\": \"rows\"}");
  const ScheduleSpace space = ScheduleSpace::parse(text, "toy.json");
  const Schedule old = {{"tile", "4"}, {"order", "rows"}};
  EXPECT_EQ(canonical_text(space.completed(old)), "order=rows tile=4 unroll=2");
  EXPECT_TRUE(space.legal(toy(8), old));
  // Its conditions hold for that value, too.
  EXPECT_FALSE(space.legal(toy(8), {{"tile", "2"}, {"order", "rows"}}));
  EXPECT_EQ(canonical_text(space.default_schedule(toy(8))), "order=rows tile=8 unroll=2");
  EXPECT_EQ(canonical_text(space.completed({{"unroll", "4"}})), "unroll=4");
  EXPECT_NE(space.content_hash(), ScheduleSpace::parse(kSpace, "toy.json").content_hash());
  EXPECT_NE(error_of(with(text, "\"neutral\": 2", "\"neutral\": 3")).find("'unroll' has a neutral value"), std::string::npos);
}

TEST(ScheduleSpace, DefaultsAreLegalForEveryProblem) {
  const ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy.json");
  EXPECT_EQ(canonical_text(space.default_schedule(toy(8))), "order=rows tile=8 unroll=4");
  EXPECT_EQ(canonical_text(space.default_schedule(toy(8, "one"))), "order=rows tile=1 unroll=1");
  EXPECT_EQ(canonical_text(space.default_schedule(toy(12))),
            "order=rows tile=4 unroll=4");  // nearest legal one
  EXPECT_EQ(canonical_text(space.default_schedule(toy(2))), "order=rows tile=2 unroll=1");
}

TEST(ScheduleSpace, NothingLegalIsAnError) {
  const ScheduleSpace space = ScheduleSpace::parse(with(kSpace, "size % tile == 0", "false"), "toy.json");
  EXPECT_THROW(space.default_schedule(toy(8)), std::runtime_error);
}

TEST(ScheduleSpace, HashChangesWithMeaningOnly) {
  const std::string hash = ScheduleSpace::parse(kSpace, "a").content_hash();
  EXPECT_EQ(hash.size(), 16u);
  EXPECT_EQ(ScheduleSpace::parse(with(kSpace, "\"doc\": \"t\"", "\"doc\": \"better words\""), "b").content_hash(), hash);
  EXPECT_EQ(ScheduleSpace::parse(with(kSpace, "no unrolling there", "other"), "b").content_hash(), hash);
  EXPECT_EQ(ScheduleSpace::parse(with(kSpace, "\"tile\": 8", "\"tile\": 4"), "b").content_hash(), hash);
  EXPECT_NE(ScheduleSpace::parse(with(kSpace, "[1, 2, 4]", "[1, 2, 4, 8]"), "b").content_hash(), hash);
  EXPECT_NE(ScheduleSpace::parse(with(kSpace, "quarter >= 1", "quarter >= 2"), "b").content_hash(), hash);
  EXPECT_NE(ScheduleSpace::parse(with(kSpace, "half / 2", "half / 1"), "b").content_hash(), hash);
}

TEST(ScheduleSpace, ErrorsNameFileAndFault) {
  EXPECT_EQ(error_of(kSpace), "");
  EXPECT_NE(error_of("{").find("'toy.json' is no schedule space"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "\"schema\": 1", "\"schema\": 2")).find("schema 2"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "[1, 2, 4]", "[]")).find("'unroll' has no values"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "[1, 2, 4]", "[1, 2, 2]")).find("a value twice"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "\"order\", \"doc\"", "\"tile\", \"doc\"")).find("'tile' is there twice"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "tile / 2", "quarter / 2")).find("'quarter', which is not known"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "\"unroll\": 4}", "\"unroll\": 3}")).find("'unroll' cannot be 3"), std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "\"when\": \"true\"", "\"when\": \"tile == 1\"")).find("'tile', which is not"),
            std::string::npos);
  EXPECT_NE(error_of(with(kSpace, "\"when\": \"true\"", "\"when\": \"1\"")).find("\"when\": \"true\""), std::string::npos);
}

std::vector<KernelSpec> shipped(const std::string& shape, const std::string& isa, const std::string& table_type = "f32") {
  return layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), parse_layer_shape(shape), isa, table_type, "f32");
}

// Hash and gather of the family's workloads, each class.
TEST(ShippedSpaces, HaveEnoughToTune) {
  const ScheduleSpaces spaces({LOOKUPFFN_SCHEDULES});
  constexpr size_t kEnough = 2000;
  std::set<KernelSpec> seen;
  for (const Workload& workload : workloads()) {
    if (workload.shape.family != "lookupffn" || workload.shape.d_in != 512) continue;  // wider ones have more
    for (const IsaRow& isa : kIsas) {
      for (const std::string& type : weight_type_names(WeightRole::kTables)) {
        const std::string projection_type = find_weight_type(type)->for_projections ? type : "bf16x3";
        for (const KernelSpec& spec : layer_kernels(spaces, workload.shape, isa.name, type, projection_type)) {
          if (seen.insert(spec).second) {
            EXPECT_GE(spaces.of(spec.kernel).legal_count(spec, kEnough), kEnough) << describe(spec);
          }
        }
      }
    }
  }
}

TEST(ShippedSpaces, EveryShapeHasADefault) {
  for (const char* shape :
       {"d_in=512 tables=128", "d_in=768 tables=128", "d_in=1 tables=1 bits=1 block=1", "d_in=100 tables=5 bits=10",
        "d_in=8192 d_out=8192 tables=4096 bits=16 block=8192", "d_in=8192 d_out=1 tables=4096 bits=16 block=1",
        "d_in=512 tables=64 projection=dense", "d_in=1 d_out=8191 tables=3 bits=1 projection=dense",
        "d_in=8191 d_out=17 tables=4093 bits=16 projection=dense", "d_in=192 d_out=48 tables=24 bits=7 block=32"}) {
    for (const IsaRow& row : kIsas) {
      const std::string isa = row.name;
      for (const std::string& type : weight_type_names(WeightRole::kTables)) {
        for (const KernelSpec& spec : shipped(shape, isa, type)) {
          const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(spec.kernel);
          std::string why;
          EXPECT_TRUE(space.legal(spec, space.default_schedule(spec), &why)) << describe(spec) << ": " << why;
        }
      }
    }
  }
}

// Generic, they have no shape. Their neutral rule is legal as it is, not by what is nearest to it.
TEST(ShippedSpaces, KernelsOfTrainingStepsHaveADefault) {
  const ScheduleSpaces spaces({LOOKUPFFN_SCHEDULES});
  for (const IsaRow& isa : kIsas) {
    const std::vector<KernelSpec> specs = training_kernels(spaces, isa.name);
    EXPECT_GE(specs.size(), 4u);
    for (const KernelSpec& spec : specs) {
      const ScheduleSpace& space = spaces.of(spec.kernel);
      std::string why;
      EXPECT_TRUE(space.legal(spec, space.default_schedule(spec), &why)) << describe(spec) << ": " << why;
      EXPECT_GE(space.legal_count(spec), 8u) << describe(spec);
      const StartingPoint* start = space.starting_point(spec);
      EXPECT_EQ(space.default_schedule(spec).at("vector_bytes"),
                start != nullptr ? start->schedule.at("vector_bytes") : std::to_string(isa.vector_bytes))
          << describe(spec);
    }
  }
}

// Small blocks have fewer vectors, not narrower ones.
TEST(ShippedSpaces, DefaultsKeepTheWidestVectors) {
  const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of("hash");
  for (const KernelSpec& spec : layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}),
                                              parse_layer_shape("d_in=64 tables=8 bits=4 block=16"), "avx512", "f32", "f32")) {
    if (spec.kernel == "hash") {
      EXPECT_EQ(space.default_schedule(spec).at("vector_bytes"), "64") << describe(spec);
    }
  }
}

TEST(ShippedSpaces, DefaultsAreWrittenOutForTheUsualShapes) {
  // Where the nearest legal schedule had to stand in, a default would be luck.
  for (const IsaRow& row : kIsas) {
    const std::string isa = row.name;
    for (const KernelSpec& spec : shipped("d_in=512 tables=128", isa)) {
      const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(spec.kernel);
      const int bytes = isa_target(isa).vector_bytes;
      EXPECT_EQ(space.default_schedule(spec).at("vector_bytes"), std::to_string(bytes)) << describe(spec);
    }
  }
}

TEST(LayerShape, ReadsAndRefuses) {
  EXPECT_EQ(parse_layer_shape("d_in=768 tables=128").repeats, 1);
  EXPECT_EQ(parse_layer_shape("d_in=512 tables=128").repeats, 2);
  EXPECT_EQ(parse_layer_shape("d_in=20 tables=1 d_out=7").block, 32);
  EXPECT_EQ(parse_layer_shape(describe(parse_layer_shape("d_in=768 tables=100 bits=7 block=16"))),
            parse_layer_shape("d_in=768 tables=100 bits=7 block=16"));
  EXPECT_EQ(parse_layer_shape("d_in=64 tables=2 projection=dense").block, 0);
  for (const char* bad :
       {"", "d_in=512", "d_in=0 tables=1", "d_in=8193 tables=1", "d_in=512 tables=1 bits=17", "d_in=512 tables=1 block=48",
        "d_in=512 tables=1 block=1024", "d_in=512 tables=x", "d_in=512 tables=1 rows=2", "d_in=512 tables=1 projection=fft",
        "d_in 512", "d_in=4 d_in=4 tables=1", "d_in=64 tables=2 projection=dense block=8"}) {
    EXPECT_THROW(parse_layer_shape(bad), std::runtime_error) << bad;
  }
}

}  // namespace
}  // namespace lookupffn
