// Where schedules start from: which row serves a kernel, and that files of rows come back as they were.
#include "starting_points.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <stdexcept>

#include "atomic_file.h"
#include "compiler_family.h"
#include "isas.h"
#include "kernel_description.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "workload.h"

namespace lookupffn {
namespace {

const char* const kSpace =
    R"({"schema": 1, "kernel": "gather", "classes": [{"name": "one", "max_tokens": 1}, {"name": "many", "min_tokens": 2}],
  "parameters": [{"name": "d_tile", "doc": "", "values": [16, 32, 64, 128, 256]}],
  "conditions": [{"expr": "d_tile <= d_out", "if_not_message": "too wide"}],
  "defaults": [{"when": "true", "schedule": {"d_tile": {"expr": "class == 'one' ? 16 : isa_vector_bytes * 2"}}}]})";

KernelSpec kernel(const std::string& isa, const std::string& batch_class, const std::string& type,
                  const std::string& d_out = "512") {
  return {"gather", isa, batch_class, {{"bits", "8"}, {"d_out", d_out}, {"table_type", type}, {"tables", "64"}}};
}

std::string file(const std::string& rows) { return R"({"schema": 1, "kernel": "gather", "starting_points": [)" + rows + "]}"; }

std::string row(const std::string& isa, const std::string& batch_class, const std::string& types, int d_tile) {
  return R"({"isa": ")" + isa + R"(", "class": ")" + batch_class + R"(", "types": {)" + types +
         R"(}, "schedule": {"d_tile": )" + std::to_string(d_tile) + R"(}, "provenance": {"by": "hand"}})";
}

std::string tile(const ScheduleSpace& space, const KernelSpec& spec) { return space.default_schedule(spec).at("d_tile"); }

TEST(StartingPoints, TheNeutralRuleIsComputed) {
  const ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy");
  EXPECT_EQ(tile(space, kernel("avx2", "one", "f32")), "16");
  EXPECT_EQ(tile(space, kernel("avx2", "many", "f32")), "64");
  EXPECT_EQ(tile(space, kernel("avx512", "many", "f32")), "128");
  EXPECT_EQ(tile(space, kernel("avx512", "many", "f32", "64")), "64") << "the nearest that is legal";
}

TEST(StartingPoints, TheRowThatServesBest) {
  ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy");
  space.add_starting_points(file(row("avx512", "many", "", 256) + "," + row("avx512", "many", R"("table_type": "i8")", 32) +
                                 "," + row("avx512_bf16", "many", R"("table_type": "bf16")", 16)),
                            "points");
  EXPECT_EQ(tile(space, kernel("avx512", "many", "f32")), "256");
  EXPECT_EQ(tile(space, kernel("avx512", "many", "i8")), "32") << "the row that names the type";
  EXPECT_EQ(tile(space, kernel("avx512_bf16", "many", "bf16")), "16") << "the ISA's own";
  EXPECT_EQ(tile(space, kernel("avx512_amx", "many", "bf16")), "16") << "of the ISA that it extends";
  EXPECT_EQ(tile(space, kernel("avx512_amx", "many", "i8")), "32") << "and of the one before";
  EXPECT_EQ(tile(space, kernel("avx512_amx", "many", "i8_dot4")), "32") << "a stored form of i8";
  EXPECT_EQ(tile(space, kernel("avx512_amx", "many", "bf16_tiles")), "16");
  EXPECT_EQ(tile(space, kernel("avx2", "many", "f32")), "64") << "no row: the neutral rule";
  EXPECT_EQ(tile(space, kernel("avx512", "one", "f32")), "16") << "no row of this class";
  EXPECT_EQ(tile(space, kernel("avx512", "many", "f32", "64")), "64") << "the nearest that is legal";
  // Rows of narrower vectors do not serve wider ones.
  space.add_starting_points(file(row("avx2", "many", "", 256)), "points");
  EXPECT_EQ(tile(space, kernel("avx512", "many", "f32")), "128");
}

TEST(StartingPoints, ComeBackAsTheyWere) {
  StartingPoints points = StartingPoints::parse(
      file(row("avx512", "many", "", 256) + "," + row("neon", "one", R"("table_type": "i8")", 32)), "gather", "points");
  StartingPoint better = points.rows()[1];
  better.schedule["d_tile"] = "64";
  better.provenance = {{"by", "lookupffn tune --write-defaults"}, {"gains", "1.10x \"quoted\""}};
  points.put(better);
  StartingPoint other = better;
  other.batch_class = "many";
  points.put(other);
  const StartingPoints again = StartingPoints::parse(points.text("gather"), "gather", "text");
  ASSERT_EQ(again.rows().size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again.rows()[i].isa, points.rows()[i].isa);
    EXPECT_EQ(again.rows()[i].types, points.rows()[i].types);
    EXPECT_EQ(again.rows()[i].schedule, points.rows()[i].schedule);
    EXPECT_EQ(again.rows()[i].provenance, points.rows()[i].provenance);
  }
  EXPECT_EQ(again.text("gather"), points.text("gather"));
}

TEST(StartingPoints, WhatIsWrongIsSaid) {
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"{", "JSON"},
      {R"({"schema": 2, "kernel": "gather", "starting_points": []})", "schema"},
      {R"({"schema": 1, "kernel": "hash", "starting_points": []})", "hash"},
      {file(row("z80", "many", "", 16)), "z80"},
      {file(row("avx2", "some", "", 16)), "some"},
      {file(row("avx2", "many", "", 17)), "17"},
      {file(row("avx2", "many", "", 16) + "," + row("avx2", "many", "", 32)), "twice"},
  };
  for (const auto& c : cases) {
    ScheduleSpace space = ScheduleSpace::parse(kSpace, "toy");
    try {
      space.add_starting_points(c.text, "points.json");
      ADD_FAILURE() << c.message;
    } catch (const std::exception& error) {
      EXPECT_NE(std::string(error.what()).find(c.message), std::string::npos) << error.what();
    }
  }
}

// The shipped files: each row serves something, and all defaults are legal with and without them.
TEST(StartingPoints, Shipped) {
  const ScheduleSpaces with({LOOKUPFFN_SCHEDULES});
  ScratchFolder folder;
  for (const std::string& from : space_folders(LOOKUPFFN_SCHEDULES)) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(from, error)) {
      const std::string name = entry.path().filename().string();
      if (name.size() > 11 && name.substr(name.size() - 11) == ".space.json") {
        write_file_atomically(folder.file(name), read_file(entry.path().string()));
      }
    }
  }
  const ScheduleSpaces neutral({folder.path()});
  size_t served = 0, different = 0;
  for (const Workload& workload : workloads()) {
    for (const IsaRow& isa : kIsas) {
      for (const KernelSpec& spec : layer_kernels(with, find_workload(workload.name), isa.name, "i8", "f32")) {
        const ScheduleSpace& space = with.of(spec.kernel);
        EXPECT_TRUE(space.legal(spec, space.default_schedule(spec))) << describe(spec);
        EXPECT_TRUE(space.legal(spec, neutral.of(spec.kernel).default_schedule(spec))) << describe(spec);
        EXPECT_EQ(neutral.of(spec.kernel).starting_point(spec), nullptr);
        served += space.starting_point(spec) != nullptr;
        different += space.default_schedule(spec) != neutral.of(spec.kernel).default_schedule(spec);
      }
    }
  }
  EXPECT_GT(served, 0u);
  EXPECT_GT(different, 0u);
}

}  // namespace
}  // namespace lookupffn
