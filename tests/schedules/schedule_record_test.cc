#include "schedule_record.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "atomic_file.h"
#include "compiler_family.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

class Records : public testing::Test {
 protected:
  Records() {
    fs::copy_file(LOOKUPFFN_GENERATOR_SOURCES "/lookupffn/gather.space.json", schedules.file("gather.space.json"));
    machine.cpu = "Test CPU 9000 (family 6, model 1)";
    machine.threads = 2;
    record.spec = spec;
    record.threads = 2;
    record.tokens = 64;
    record.schedule = {{"d_tile", "128"},        {"vector_bytes", "64"},  {"tables_pass", "4"},  {"unroll_tables", "2"},
                       {"prefetch_tables", "0"}, {"whole_rows", "false"}, {"parallel", "tokens"}};
    record.default_us_per_token = {2.5, 2.25, 2.75};
    record.tuned_us_per_token = {2, 1.75, 2.125};
    record.gain = 1.25;
    record.gain_low = 1.125;
    record.gain_high = 1.5;
    record.provenance = {"2024-05-17T09:30:00Z", machine.cpu, "L2 2048 KiB", "14.0.0", "0123456789abcdef", "0.1.0"};
  }

  ScheduleSpace space() const { return ScheduleSpace::load(schedules.path(), "gather"); }
  std::string save() const { return save_record(schedules.path(), record); }
  ChosenSchedule choose() const { return choose_schedule({schedules.path()}, spec, machine); }

  // The record's file with one text in the place of another, as somebody might edit it.
  void edit(const std::string& path, const std::string& from, const std::string& to) const {
    std::string text = read_file(path);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file_atomically(path, text.replace(at, from.size(), to));
  }

  // The default is used, and the one note holds this reason.
  void expect_refused(const std::string& reason) const {
    const ChosenSchedule chosen = choose();
    EXPECT_EQ(chosen.provenance, "default");
    EXPECT_EQ(chosen.schedule, space().default_schedule(spec));
    EXPECT_EQ(chosen.record_path, "");
    ASSERT_EQ(chosen.notes.size(), 1u) << reason;
    EXPECT_NE(chosen.notes[0].find(reason), std::string::npos) << chosen.notes[0];
    EXPECT_NE(chosen.notes[0].find("default schedule is used"), std::string::npos) << chosen.notes[0];
    EXPECT_EQ(chosen.notes[0].find('\n'), std::string::npos) << chosen.notes[0];
  }

  ScratchFolder schedules;
  Machine machine;
  ScheduleRecord record;
  const KernelSpec spec = layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), parse_layer_shape("d_in=512 tables=128"),
                                        "avx512", "f32", "f32")[5];  // gather, small
};

TEST_F(Records, SaveAndLoad) {
  ASSERT_EQ(spec.batch_class, "small");
  const std::string path = save();
  EXPECT_EQ(path, schedules.file("tuned/avx512/gather-bits8-dout512-f32-tables128-small-"
                                 "test-cpu-9000-family-6-model-1.json"));
  const ScheduleRecord loaded = load_record(path);
  EXPECT_EQ(loaded.spec, record.spec);
  EXPECT_EQ(loaded.schedule, record.schedule);
  EXPECT_EQ(loaded.threads, 2);
  EXPECT_EQ(loaded.tokens, 64);
  EXPECT_EQ(loaded.default_us_per_token, record.default_us_per_token);
  EXPECT_EQ(loaded.tuned_us_per_token, record.tuned_us_per_token);
  EXPECT_EQ(loaded.gain, 1.25);
  EXPECT_EQ(loaded.gain_low, 1.125);
  EXPECT_EQ(loaded.gain_high, 1.5);
  EXPECT_EQ(loaded.provenance.cpu, machine.cpu);
  EXPECT_EQ(loaded.provenance.date, record.provenance.date);
  EXPECT_EQ(loaded.provenance.object_hash, "0123456789abcdef");
  const std::string text = read_file(path);
  EXPECT_GT(std::count(text.begin(), text.end(), '\n'), 30) << "one value a line makes diffs readable";
  save();
  EXPECT_EQ(read_file(path), text);
  EXPECT_EQ(record_files(schedules.path()), std::vector<std::string>{path});
  EXPECT_EQ(record_files(schedules.path(), "avx512"), std::vector<std::string>{path});
  EXPECT_TRUE(record_files(schedules.path(), "avx2").empty());
}

TEST_F(Records, NoneGivesTheDefaultQuietly) {
  const ChosenSchedule chosen = choose();
  EXPECT_EQ(chosen.provenance, "default");
  EXPECT_TRUE(chosen.notes.empty());
}

TEST_F(Records, MatchingIsUsed) {
  const std::string path = save();
  const ChosenSchedule chosen = choose();
  EXPECT_EQ(chosen.schedule, space().completed(record.schedule));
  EXPECT_EQ(chosen.record_path, path);
  EXPECT_EQ("tuned/avx512/" + fs::path(path).filename().string(), chosen.record_name);
  EXPECT_EQ(chosen.record_isa, "avx512");
  EXPECT_EQ(chosen.object_hash, "0123456789abcdef");
  EXPECT_EQ(chosen.provenance, "tuned/avx512/" + fs::path(path).filename().string() + " (this CPU)");
  EXPECT_TRUE(chosen.notes.empty());
}

// A type that gets another form of storage, or a space that gets a condition, must not put out of use what is shipped.
TEST(ShippedRecords, AllMatchTheirSpaces) {
  const ScheduleSpaces spaces({LOOKUPFFN_SCHEDULES});
  const std::vector<std::string> paths = record_files(LOOKUPFFN_SCHEDULES);
  ASSERT_FALSE(paths.empty());
  for (const std::string& path : paths) {
    const ScheduleRecord record = load_record(path);
    EXPECT_EQ(record_fault(record, path, spaces.of(record.spec.kernel)), "") << path;
  }
}

TEST_F(Records, OtherProblemInContentIsRefused) {
  edit(save(), "\"d_out\": 512", "\"d_out\": 768");
  expect_refused("was made for d_out=768, this kernel has d_out=512");
}

TEST_F(Records, ContentThatClaimsThisProblemUnderAnothersNameIsRefused) {
  record.spec.problem["d_out"] = "768";
  edit(save(), "\"d_out\": 768", "\"d_out\": 512");
  expect_refused("renamed or edited");
}

TEST_F(Records, OtherKernelIsaOrClassIsRefused) {
  const std::string path = save(), text = read_file(path);
  edit(path, "\"batch_class\": \"small\"", "\"batch_class\": \"large\"");
  expect_refused("was made for batch class 'large', this kernel is for 'small'");
  write_file_atomically(path, text);
  edit(path, "\"isa\": \"avx512\"", "\"isa\": \"avx2\"");
  expect_refused("was made for ISA avx2, this kernel is for avx512");
  write_file_atomically(path, text);
  edit(path, "\"kernel\": \"gather\"", "\"kernel\": \"hash\"");
  expect_refused("was made for kernel 'hash', this kernel is 'gather'");
}

TEST_F(Records, AnotherSpaceIsFineWhereItHoldsTheSchedule) {
  save();
  edit(schedules.file("gather.space.json"), "[0, 1, 2, 3, 4, 6,", "[0, 1, 2, 3, 4, 5, 6,");
  EXPECT_EQ(choose().schedule, space().completed(record.schedule));
  edit(schedules.file("gather.space.json"), "\"conditions\": [",
       "\"conditions\": [{\"expr\": \"d_tile != 128\", \"if_not_message\": \"d_tile is not 128 any more\"},");
  expect_refused("d_tile is not 128 any more");
}

TEST_F(Records, OtherSchemaIsRefused) {
  edit(save(), "\"schema\": 2", "\"schema\": 7");
  expect_refused("has schema 7, this version reads 1 to 2");
}

// Records of before had a hash of the generator's sources, and nobody knows of what code they are.
TEST_F(Records, OldSchemaIsUsedAndItsHashOfSourcesIgnored) {
  const std::string path = save();
  edit(path, "\"schema\": 2", "\"schema\": 1");
  edit(path, "\"object_hash\"", "\"generator_hash\"");
  const ChosenSchedule chosen = choose();
  EXPECT_EQ(chosen.record_path, path);
  EXPECT_EQ(chosen.object_hash, "");
  EXPECT_TRUE(chosen.notes.empty());
  EXPECT_EQ(load_record(path).schema, kScheduleRecordSchema);
}

TEST_F(Records, IllegalScheduleIsRefused) {
  const std::string path = save();
  edit(path, "\"d_tile\": 128", "\"d_tile\": 96");
  expect_refused("d_tile does not divide the padded row");
  edit(path, "\"d_tile\": 96", "\"d_tile\": 1000");
  expect_refused("'d_tile' cannot be 1000");
  edit(path, "\"d_tile\": 1000", "\"e_tile\": 128");
  expect_refused("parameter 'd_tile' is missing");
}

TEST_F(Records, BrokenFileIsRefused) {
  const std::string path = save(), text = read_file(path);
  write_file_atomically(path, text.substr(0, text.size() / 2));
  expect_refused("not valid JSON");
  write_file_atomically(path, "");
  expect_refused("not valid JSON");
  write_file_atomically(path, "[1, 2]");
  expect_refused("not a JSON object");
  write_file_atomically(path, text);
  edit(path, "\"threads\": 2", "\"threads\": \"two\"");
  expect_refused("'threads' is \"two\"; it must be a whole number from 0");
  write_file_atomically(path, text);
  edit(path, "\"problem\"", "\"prblem\"");
  expect_refused("'problem' is missing");
}

TEST_F(Records, OtherProblemsRecordsAreNobodysBusiness) {
  record.spec.problem["d_out"] = "768";
  save();
  const ChosenSchedule chosen = choose();
  EXPECT_EQ(chosen.provenance, "default");
  EXPECT_TRUE(chosen.notes.empty());
}

TEST_F(Records, OtherCpuIsUsedWithAWord) {
  edit(save(), machine.cpu, "Other CPU");
  const ChosenSchedule chosen = choose();
  EXPECT_EQ(chosen.schedule, space().completed(record.schedule));
  EXPECT_NE(chosen.provenance.find("(tuned on Other CPU)"), std::string::npos) << chosen.provenance;
  ASSERT_EQ(chosen.notes.size(), 1u);
  EXPECT_NE(chosen.notes[0].find("was tuned on Other CPU with 2 threads, not on this CPU: it is used"), std::string::npos)
      << chosen.notes[0];
}

TEST_F(Records, ThisCpuAndThreadsComeFirst) {
  const auto put = [&](const std::string& cpu, int threads, const char* tile, const char* date) {
    record.provenance.cpu = cpu;
    record.provenance.date = date;
    record.threads = threads;
    record.schedule["d_tile"] = tile;
    // Files of one CPU are told apart by what follows its name.
    const std::string path = save();
    fs::rename(path, path.substr(0, path.size() - 5) + "-" + std::to_string(threads) + ".json");
  };
  put("Other CPU", 2, "16", "2025-01-01T00:00:00Z");
  EXPECT_EQ(choose().schedule.at("d_tile"), "16");
  put(machine.cpu, 7, "32", "2020-01-01T00:00:00Z");
  EXPECT_EQ(choose().schedule.at("d_tile"), "32");
  EXPECT_NE(choose().provenance.find("(this CPU, 7 threads)"), std::string::npos);
  put(machine.cpu, 2, "64", "2019-01-01T00:00:00Z");
  EXPECT_EQ(choose().schedule.at("d_tile"), "64");
  EXPECT_TRUE(choose().notes.empty());
  put("Yet another CPU", 2, "128", "2026-01-01T00:00:00Z");
  EXPECT_EQ(choose().schedule.at("d_tile"), "64");
}

TEST_F(Records, TheObjectiveThatIsAskedForComesFirst) {
  const std::string hot = save();
  record.objective = "cold";
  record.schedule["d_tile"] = "64";
  record.provenance.date = "2024-06-17T09:30:00Z";  // newer
  const std::string cold = save();
  EXPECT_NE(hot, cold);
  EXPECT_EQ(load_record(cold).objective, "cold");
  EXPECT_EQ(choose().schedule.at("d_tile"), "128");
  EXPECT_TRUE(choose().notes.empty());
  const ChosenSchedule for_cold = choose_schedule({schedules.path()}, spec, machine, "cold");
  EXPECT_EQ(for_cold.schedule.at("d_tile"), "64");
  EXPECT_TRUE(for_cold.notes.empty());
  // Better than none, and it is said.
  const ChosenSchedule for_busy = choose_schedule({schedules.path()}, spec, machine, "busy");
  ASSERT_EQ(for_busy.notes.size(), 1u);
  EXPECT_NE(for_busy.notes[0].find("--objective busy"), std::string::npos) << for_busy.notes[0];
  // Records of before the choice are hot.
  edit(hot, "\"objective\": \"hot\",", "");
  EXPECT_EQ(load_record(hot).objective, "hot");
  edit(cold, "\"objective\": \"cold\"", "\"objective\": \"warm\"");
  EXPECT_THROW(load_record(cold), std::runtime_error);
}

TEST_F(Records, ARefusedRecordDoesNotHideAGoodOne) {
  save();
  record.provenance.cpu = "Other CPU";
  edit(save(), "\"tables_pass\"", "\"tables_past\"");
  const ChosenSchedule chosen = choose();
  EXPECT_EQ(chosen.schedule, space().completed(record.schedule));
  ASSERT_EQ(chosen.notes.size(), 1u);
  EXPECT_EQ(chosen.notes[0].find("default"), std::string::npos) << chosen.notes[0];
}

TEST_F(Records, EarlierDirectoryWins) {
  ScratchFolder mine;  // has records, no space
  save();
  record.schedule["d_tile"] = "32";
  save_record(mine.path(), record);
  EXPECT_EQ(choose_schedule({mine.path(), schedules.path()}, spec, machine).schedule.at("d_tile"), "32");
  EXPECT_EQ(choose_schedule({schedules.path(), mine.path()}, spec, machine).schedule.at("d_tile"), "128");
}

TEST_F(Records, NoSpaceIsAnError) {
  ScratchFolder empty;
  EXPECT_THROW(choose_schedule({empty.path()}, spec, machine), std::runtime_error);
  EXPECT_THROW(choose_schedule({}, spec, machine), std::runtime_error);
}

TEST(Machine, SaysWhatItIs) {
  const Machine machine = this_machine();
  EXPECT_GE(machine.threads, 1);
  EXPECT_GE(machine.cores, 1);
  EXPECT_EQ(cpu_key("Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz"), "intel-xeon-gold-6330-cpu-2-00ghz");
  EXPECT_EQ(cpu_key(""), "");
}

}  // namespace
}  // namespace lookupffn
