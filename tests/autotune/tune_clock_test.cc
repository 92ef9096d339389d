// The whole tuner on a tiny shape while the clock jumps, for it and for everything that it runs
// (jumping_clock.c).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <set>

#include "atomic_file.h"
#include "measure/sampling.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "subprocess.h"
#include "trial/trial_log.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

class TuneClockJumps : public testing::Test {
 protected:
  void SetUp() override {
    const char* linker = std::getenv("CXX");
    fs::create_directories(folder_.file("tmp"));
    // Measuring programs are linked statically, where nothing can be preloaded.
    write_file_atomically(linker_, std::string("#!/bin/sh\nexec '") + (linker != nullptr ? linker : "c++") +
                                       "' \"$@\" '" LOOKUPFFN_JUMPING_CLOCK_OBJECT "'\n");
    fs::permissions(linker_, fs::perms::owner_all);
  }

  // Tunes for `budget` seconds and expects that it takes about that long.
  void tune(const std::string& clock, int budget, const std::vector<std::string>& more) const {
    std::vector<std::string> argv = {LOOKUPFFN_TOOL,  "tune",  "--workload", "d_in=32 tables=4 bits=3 block=16",
                                     "--isa",         "sse41", "--tokens",   "8",
                                     "--sample-time", "0.1",   "--log",      log_,
                                     "--out",         out_,    "--budget",   std::to_string(budget) + "s"};
    argv.insert(argv.end(), more.begin(), more.end());
    ProcessOptions options;
    options.time_limit_seconds = 120;
    options.environment = {{"TMPDIR", folder_.file("tmp")},
                           {"CXX", linker_},
                           {"LD_PRELOAD", LOOKUPFFN_JUMPING_CLOCK},
                           {"LOOKUPFFN_TEST_CLOCK", clock}};
    const auto start = std::chrono::steady_clock::now();
    const ProcessResult result = run_process(argv, options);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ASSERT_TRUE(result.ok()) << result.what_happened() << result.out << result.err;
    EXPECT_EQ(result.err, "");  // where the clock cannot be preloaded the loader says so
    EXPECT_GT(seconds, 0.4 * budget) << result.out;
    EXPECT_LT(seconds, budget + 30) << result.out;  // other programs may keep the machine busy
  }

  // Nothing in log and records is a jump's doing.
  void expect_sound() const {
    const LogContent log = read_trial_log(log_);
    EXPECT_GE(log.trials.size(), 2u);
    std::set<std::pair<KernelSpec, Schedule>> seen;
    for (const Trial& trial : log.trials) {
      EXPECT_EQ(trial.status, TrialStatus::kOk) << trial.reason;
      EXPECT_TRUE(seen.insert({trial.spec, trial.schedule}).second) << canonical_text(trial.schedule);
      for (const double seconds : {trial.compile_seconds, trial.measure_seconds}) {
        EXPECT_GE(seconds, 0);
        EXPECT_LT(seconds, 60);
      }
      EXPECT_GT(trial.cost, 0.05);
      EXPECT_LT(trial.cost, 50);
      ASSERT_GE(trial.samples.size(), 3u);
      expect_plausible(trial.samples);
    }
    for (const std::string& path : record_files(out_)) {
      const ScheduleRecord record = load_record(path);
      EXPECT_EQ(record_fault(record, path, ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(record.spec.kernel)), "");
      EXPECT_GT(record.gain_low, 1);
      EXPECT_LT(record.gain, 20);
      EXPECT_GE(record.tuned_us_per_token.size(), 10u);
      expect_plausible(record.tuned_us_per_token);
      expect_plausible(record.default_us_per_token);
    }
    EXPECT_TRUE(fs::is_empty(folder_.file("tmp")));
  }

  static void expect_plausible(const std::vector<double>& us) {
    const auto [least, most] = std::minmax_element(us.begin(), us.end());
    EXPECT_GE(*least, 0.05 * median(us));
    EXPECT_LE(*most, 200 * median(us));
  }

  ScratchFolder folder_;
  std::string linker_ = folder_.file("linker"), log_ = folder_.file("tune.jsonl"), out_ = folder_.file("schedules");
};

TEST_F(TuneClockJumps, TheDateIsSet) {
  tune("realtime", 10, {"--threads", "2"});
  expect_sound();
  // It was indeed: the log's own date is off.
  const double started = read_trial_log(log_).header.at("started_unix").get<double>();
  EXPECT_GT(std::abs(started - static_cast<double>(std::time(nullptr))), 3000);
}

TEST_F(TuneClockJumps, TheSteadyClockIsNotSteady) {
  // With two threads: a single one is timed by its own CPU time, which none of this touches.
  tune("monotonic", 10, {"--threads", "2"});
  expect_sound();
  const size_t trials = read_trial_log(log_).trials.size();
  tune("monotonic", 5, {"--threads", "2", "--resume"});
  EXPECT_GE(read_trial_log(log_).trials.size(), trials);
  expect_sound();
}

}  // namespace
}  // namespace lookupffn
