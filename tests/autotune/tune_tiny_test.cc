// The whole tuner on a tiny shape: real generators, real measurements, and everything that goes wrong.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>

#include "atomic_file.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "subprocess.h"
#include "trial/trial_log.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

const std::string kTool = LOOKUPFFN_TOOL, kGenerator = LOOKUPFFN_GENERATOR_PROGRAM;

class TuneTiny : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.file("tmp"));
    fs::create_directories(folder_.file("work"));
  }

  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> argv = {kTool, "tune", "--isa", "sse41", "--sample-time", "0.005", "--log", log_, "--out", out_};
    const std::vector<std::string> workload = {"--workload", workload_};
    for (const auto* part : {what_.empty() ? &workload : &what_, &more}) argv.insert(argv.end(), part->begin(), part->end());
    return argv;
  }

  ProcessOptions options() const {
    ProcessOptions options;
    options.time_limit_seconds = 500;
    options.working_directory = folder_.file("work");
    options.environment = {{"TMPDIR", folder_.file("tmp")}};
    return options;
  }

  ProcessResult tune(const std::vector<std::string>& more) const { return run_process(command(more), options()); }

  // Starts it and does not wait: to be killed.
  pid_t start(const std::vector<std::string>& more) const {
    std::vector<std::string> argv = command(more);
    const pid_t child = fork();
    if (child == 0) {
      setenv("TMPDIR", folder_.file("tmp").c_str(), 1);
      if (chdir(folder_.file("work").c_str()) != 0 || freopen("/dev/null", "w", stdout) == nullptr) _exit(1);
      std::vector<char*> pointers;
      for (std::string& word : argv) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    return child;
  }

  // Processes whose command line names this test's folder, which all children of a tuner do.
  std::vector<std::string> processes() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos || name == std::to_string(getpid())) continue;
      std::ifstream file(entry.path() / "cmdline", std::ios::binary);
      const std::string line((std::istreambuf_iterator<char>(file)), {});
      if (line.find(folder_.path()) != std::string::npos) found.push_back(line);
    }
    return found;
  }

  // A generator program that runs `body`, with $n the number of kernels made before ($n = 0: the default's), $f the kernel's
  // function, $o the folder, and bad BODY to make it of C. One job at a time.
  std::string generator(const std::string& body) const {
    const std::string path = folder_.file("generator"), count = folder_.file("count");
    write_file_atomically(
        path,
        "#!/bin/sh\n"
        "n=$(cat '" +
            count +
            "' 2>/dev/null || echo 0)\n"
            "echo $((n + 1)) >'" +
            count +
            "'\n"
            "while getopts g:f:n:o:e: option; do case $option in f) f=$OPTARG;; o) o=$OPTARG;; esac; done 2>/dev/null\n"
            "bad() { echo \"int ${f}_argv(void **a) { $1 }\" | cc -x c -c - -o \"$o/$f.o\"; exit; }\n" +
            body);
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  // No schedule twice for a kernel, and this many of each.
  void expect_trials(size_t kernels, size_t each) const {
    std::map<std::pair<KernelSpec, size_t>, std::set<Schedule>> seen;
    for (const Trial& trial : read_trial_log(log_).trials) {
      const bool fresh = seen[{trial.spec, trial.tokens}].insert(trial.schedule).second;
      EXPECT_TRUE(fresh) << describe(trial.spec) << " repeats " << canonical_text(trial.schedule);
    }
    EXPECT_EQ(seen.size(), kernels);
    for (const auto& [kernel, schedules] : seen) EXPECT_EQ(schedules.size(), each) << describe(kernel.first);
  }

  ScratchFolder folder_;
  std::string workload_ = "d_in=32 tables=4 bits=3 block=16";
  std::vector<std::string> what_;  // instead of the workload
  std::string log_ = folder_.file("tune.jsonl"), out_ = folder_.file("schedules");
};

TEST_F(TuneTiny, TheWholeLoop) {
  const ProcessResult result = tune({"--tokens", "1,8", "--trials", "4"});
  ASSERT_TRUE(result.ok()) << result.what_happened() << result.out << result.err;
  expect_trials(4, 4);
  EXPECT_EQ(read_trial_log(log_).outcomes.size(), 4u);
  EXPECT_NE(result.out.find("bound by"), std::string::npos) << result.out;
  EXPECT_TRUE(fs::exists(folder_.file("tune.svg")));
  for (const std::string& path : record_files(out_)) {
    const ScheduleRecord record = load_record(path);
    EXPECT_EQ(record_fault(record, path, ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(record.spec.kernel)), "");
    EXPECT_GT(record.gain_low, 1);
  }
  EXPECT_TRUE(fs::is_empty(folder_.file("tmp")));
  // All is done: nothing is left to try, and the log stays as it is.
  const auto size = fs::file_size(log_);
  EXPECT_TRUE(tune({"--tokens", "1,8", "--trials", "4", "--resume"}).ok());
  EXPECT_EQ(fs::file_size(log_), size);
  // Another shape's log.
  const ProcessResult other = tune({"--tokens", "1", "--trials", "4", "--resume"});
  EXPECT_FALSE(other.ok());
  EXPECT_NE(other.err.find("was made for shape"), std::string::npos) << other.err;
}

// The same of a kernel of training steps, which is timed within them.
TEST_F(TuneTiny, AKernelOfTrainingSteps) {
  what_ = {"--training"};
  const std::vector<std::string> more = {"--kernels", "generic_row_dots,generic_weight_gradient", "--tokens", "40", "--trials",
                                         "3"};
  const ProcessResult result = tune(more);
  ASSERT_TRUE(result.ok()) << result.what_happened() << result.out << result.err;
  expect_trials(2, 3);
  for (const Trial& trial : read_trial_log(log_).trials) {
    EXPECT_EQ(trial.status, TrialStatus::kOk) << trial.reason;
    EXPECT_TRUE(trial.spec.problem.empty());
  }
  for (const std::string& path : record_files(out_)) {
    const ScheduleRecord record = load_record(path);
    EXPECT_EQ(record_fault(record, path, ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(record.spec.kernel)), "");
    EXPECT_GT(record.gain_low, 1);
  }
  const auto size = fs::file_size(log_);
  std::vector<std::string> again = more;
  again.push_back("--resume");
  EXPECT_TRUE(tune(again).ok());
  EXPECT_EQ(fs::file_size(log_), size);
  // Layers' kernels are not training steps'.
  const ProcessResult none = tune({"--kernels", "gather", "--trials", "3"});
  EXPECT_FALSE(none.ok());
  EXPECT_NE(none.err.find("nothing to tune"), std::string::npos) << none.err;
}

// A kernel that writes nothing.
TEST_F(TuneTiny, StepsOnWrongKernelsAreIncorrect) {
  what_ = {"--training"};
  const std::string wrong = generator("[ $n = 0 ] && exec '" + kGenerator + "' \"$@\"; bad 'return 0;'");
  const ProcessResult result =
      tune({"--kernels", "generic_row_sums", "--tokens", "40", "--trials", "2", "--jobs", "1", "--generator", wrong});
  ASSERT_TRUE(fs::exists(log_)) << result.out << result.err;
  size_t incorrect = 0;
  for (const Trial& trial : read_trial_log(log_).trials) incorrect += trial.status == TrialStatus::kIncorrect;
  EXPECT_EQ(incorrect, 1u) << result.out << result.err;
}

// From trial to record to library: which code was measured, and whether it is still what is generated.
TEST_F(TuneTiny, RecordsSayWhatCodeWasMeasured) {
  // A default that is easily beaten, so that there is a record.
  nlohmann::json space = nlohmann::json::parse(read_file(LOOKUPFFN_GENERATOR_SOURCES "/lookupffn/gather.space.json"));
  space["defaults"] = {{{"when", "true"},
                        {"schedule",
                         {{"d_tile", 16},
                          {"vector_bytes", 16},
                          {"tables_pass", 1},
                          {"unroll_tables", 1},
                          {"prefetch_tables", 0},
                          {"whole_rows", "false"},
                          {"parallel", "tokens"}}}}};
  const std::string spaces = folder_.file("spaces");
  fs::create_directories(spaces);
  write_file_atomically(spaces + "/gather.space.json", space.dump());
  workload_ = "d_in=64 d_out=512 tables=64 bits=4";
  const std::vector<std::string> arguments = {"--kernels", "gather", "--tokens", "8", "--trials", "16", "--schedules", spaces};
  // Where other programs have the machine for a while, no gain is sure and there is no record: then once more.
  ProcessResult result;
  std::vector<std::string> paths;
  for (int attempt = 0; attempt < 3 && paths.empty(); ++attempt) {
    fs::remove(log_);
    result = tune(arguments);
    ASSERT_TRUE(result.ok()) << result.out << result.err;
    paths = record_files(out_);
  }
  ASSERT_EQ(paths.size(), 1u) << result.out;
  const ScheduleRecord record = load_record(paths[0]);
  EXPECT_EQ(record.provenance.object_hash.size(), 16u);
  std::set<std::string> hashes;
  for (const Trial& trial : read_trial_log(log_).trials) {
    if (trial.status != TrialStatus::kOk) continue;
    EXPECT_EQ(trial.object_hash.size(), 16u);
    hashes.insert(trial.object_hash);
    if (trial.schedule == record.schedule) {
      EXPECT_EQ(trial.object_hash, record.provenance.object_hash);
    }
  }
  EXPECT_GT(hashes.size(), 8u) << "schedules have code of their own, but for parameters that do not matter here";

  // Another generator: what it makes of a schedule is not what was measured.
  const std::string changed = folder_.file("changed_generator");
  write_file_atomically(changed,
                        "#!/bin/bash\n"
                        "arguments=()\n"
                        "for word; do\n"
                        "  case $word in d_tile=16) word=d_tile=32;; d_tile=*) word=d_tile=16;; esac\n"
                        "  arguments+=(\"$word\")\n"
                        "done\n"
                        "exec '" +
                            kGenerator + "' \"${arguments[@]}\"\n");
  fs::permissions(changed, fs::perms::owner_all);

  const struct { std::string generator, code; } cases[] = {{kGenerator, "same"}, {changed, "other"}};
  for (const auto& c : cases) {
    const ProcessResult built =
        run_process({kTool, "build", "--shape", workload_, "--isa", "sse41", "--out", folder_.file("library"), "--schedules",
                     out_, "--schedules", spaces, "--generator", c.generator},
                    options());
    ASSERT_TRUE(built.ok()) << built.err;
    EXPECT_EQ(built.err.find("was tuned on other code (generator or compiler changed since): tune again") != std::string::npos,
              c.code == "other")
        << built.err;
    size_t tuned = 0;
    const nlohmann::json manifest = nlohmann::json::parse(read_file(folder_.file("library/manifest.json")));
    for (const nlohmann::json& kernel : manifest.at("kernels")) {
      if (!kernel.contains("measured_code")) continue;
      ++tuned;
      EXPECT_EQ(kernel.at("measured_code"), c.code);
    }
    EXPECT_EQ(tuned, 1u);

    std::vector<std::string> list = {kTool,         "schedules", "--isa",  "sse41",       "--schedules", out_,
                                     "--schedules", spaces,      "--json", "--generator", c.generator};
    const auto code_of_record = [&] {
      const ProcessResult listed = run_process(list, options());
      EXPECT_TRUE(listed.ok()) << listed.err;
      for (const auto& entry : nlohmann::json::parse(listed.out)) {
        if (entry.at("path") == paths[0]) return entry.value("measured_code", entry.at("reason").get<std::string>());
      }
      return "not listed: " + listed.out;
    };
    EXPECT_EQ(code_of_record(), c.code);
    list.push_back("--no-code");
    EXPECT_EQ(code_of_record(), "not compared: --no-code");
  }

  // A log's trials are of the code that is generated, or it is not continued.
  std::vector<std::string> again = arguments;
  again.push_back("--resume");
  const ProcessResult resumed = tune(again);
  EXPECT_TRUE(resumed.ok()) << resumed.err;
  again.insert(again.end(), {"--generator", changed});
  const ProcessResult refused = tune(again);
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.err.find("measured other code than is generated now"), std::string::npos) << refused.err;
  EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
}

// Ctrl-C: nothing is left behind but the log.
TEST_F(TuneTiny, Interrupted) {
  const pid_t tuner = start({"--tokens", "8", "--trials", "200"});
  for (int i = 0; i < 1200 && !(fs::exists(log_) && read_trial_log(log_).trials.size() >= 2); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  kill(tuner, SIGINT);
  int status = 0;
  ASSERT_EQ(waitpid(tuner, &status, 0), tuner);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
  for (int i = 0; i < 300 && !processes().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(processes(), std::vector<std::string>());
  EXPECT_TRUE(fs::is_empty(folder_.file("tmp")));
  EXPECT_GE(read_trial_log(log_).trials.size(), 2u);
}

TEST_F(TuneTiny, KilledAndResumed) {
  const std::vector<std::string> arguments = {"--tokens", "8", "--trials", "6", "--resume"};
  std::mt19937 random(3);
  size_t kept = 0;
  for (int round = 0; round < 5; ++round) {
    const pid_t tuner = start(arguments);
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + random() % 2500));
    kill(tuner, SIGKILL);
    int status = 0;
    waitpid(tuner, &status, 0);
    if (fs::exists(log_) && fs::file_size(log_) > 0) {
      // What was there stays there.
      const size_t now = read_trial_log(log_).trials.size();
      EXPECT_GE(now, kept);
      kept = now;
    }
    // The guards need a moment, however loaded the machine is.
    for (int i = 0; i < 300 && !processes().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(processes(), std::vector<std::string>());
  }
  const ProcessResult result = tune(arguments);
  ASSERT_TRUE(result.ok()) << result.out << result.err;
  expect_trials(2, 6);
}

TEST_F(TuneTiny, TheSecondTunerOnALogEnds) {
  const pid_t first = start({"--tokens", "8", "--trials", "50"});
  for (int i = 0; i < 600 && !(fs::exists(log_) && fs::file_size(log_) > 0); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const ProcessResult second = tune({"--tokens", "8", "--trials", "50", "--resume"});
  kill(first, SIGKILL);
  int status = 0;
  waitpid(first, &status, 0);
  EXPECT_FALSE(second.ok());
  EXPECT_NE(second.err.find("another tuner is writing to it"), std::string::npos) << second.err;
}

// A generator that makes every kind of bad kernel there is, by turns. Its first kernel is the default's.
TEST_F(TuneTiny, CandidatesThatFailAreTrials) {
  const std::string wrapper = generator(
      "case $n in\n"
      "1) echo 'no such schedule' >&2; exit 1;;\n"
      "2) bad 'return *(volatile int *)0;';;\n"
      "3) bad 'for (;;) ; return 0;';;\n"
      "4) bad 'return 0;';;\n"
      "esac\n"
      "exec '" +
      kGenerator + "' \"$@\"\n");
  const ProcessResult result =
      tune({"--kernels", "gather", "--tokens", "8", "--trials", "7", "--jobs", "1", "--generator", wrapper});
  ASSERT_TRUE(result.ok()) << result.out << result.err;
  std::map<TrialStatus, size_t> count;
  for (const Trial& trial : read_trial_log(log_).trials) {
    ++count[trial.status];
    if (trial.status != TrialStatus::kOk) {
      EXPECT_FALSE(trial.reason.empty());
    }
  }
  EXPECT_EQ(count[TrialStatus::kCompile], 1u);
  EXPECT_EQ(count[TrialStatus::kCrash], 1u);
  EXPECT_EQ(count[TrialStatus::kTimeout], 1u);
  EXPECT_EQ(count[TrialStatus::kIncorrect], 1u);
  EXPECT_EQ(count[TrialStatus::kOk], 3u);
  expect_trials(1, 7);
}

// The default made a thousand times slower: whatever else is found beats it, and its record is written.
TEST_F(TuneTiny, WhatBeatsTheDefaultHasARecord) {
  if (find_program("objcopy").empty()) GTEST_SKIP() << "there is no objcopy (apt install binutils)";
  const std::string wrapper = generator(
      "'" + kGenerator +
      "' \"$@\" || exit 1\n"
      "[ $n = 0 ] || exit 0\n"
      "objcopy --redefine-sym ${f}_argv=${f}_fast \"$o/$f.o\" \"$o/$f.fast.o\" &&\n"
      "echo \"int ${f}_fast(void **); int ${f}_argv(void **a) {\n"
      "  for (volatile int i = 0; i < 100000; ++i) {} return ${f}_fast(a); }\" | cc -x c -c - -o \"$o/$f.slow.o\" &&\n"
      "ld -r -o \"$o/$f.o\" \"$o/$f.fast.o\" \"$o/$f.slow.o\"\n");
  const ProcessResult result =
      tune({"--kernels", "gather", "--tokens", "8", "--trials", "4", "--jobs", "1", "--generator", wrapper});
  ASSERT_TRUE(result.ok()) << result.out << result.err;
  const std::vector<std::string> records = record_files(out_);
  ASSERT_EQ(records.size(), 1u) << result.out << result.err;
  const ScheduleRecord record = load_record(records[0]);
  const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(record.spec.kernel);
  EXPECT_EQ(record_fault(record, records[0], space), "");
  EXPECT_NE(record.schedule, space.default_schedule(record.spec));
  EXPECT_GT(record.gain_low, 2);
  EXPECT_GE(record.gain, record.gain_low);
  EXPECT_FALSE(record.tuned_us_per_token.empty());
  EXPECT_EQ(record.tuned_us_per_token.size(), record.default_us_per_token.size());
}

// Kernels that agree with each other and with nothing else: the formulas tell, for every type of projection.
TEST_F(TuneTiny, AgreementIsNotEnough) {
  const std::string wrapper = generator("bad 'return 0;'\n");
  for (const char* type : {"f32", "bf16x3", "bf16"}) {
    SCOPED_TRACE(type);
    fs::remove(log_);
    const ProcessResult result = tune({"--kernels", "hash", "--tokens", "8", "--trials", "2", "--jobs", "1",
                                       "--projection-type", type, "--generator", wrapper});
    size_t incorrect = 0;
    ASSERT_TRUE(fs::exists(log_)) << result.out << result.err;
    for (const Trial& trial : read_trial_log(log_).trials) {
      EXPECT_NE(trial.status, TrialStatus::kOk);
      incorrect += trial.status == TrialStatus::kIncorrect;
      EXPECT_NE(trial.reason.find("codes are not the reference's"), std::string::npos) << trial.reason;
    }
    EXPECT_GT(incorrect, 0u) << result.out << result.err;
    EXPECT_TRUE(record_files(out_).empty());
  }
}

TEST_F(TuneTiny, BehindAnEmulator) {
  if (find_program("qemu-x86_64").empty()) GTEST_SKIP() << "there is no qemu-x86_64 (apt install qemu-user)";
  const ProcessResult result = tune({"--tokens", "8", "--trials", "2", "--runner", "qemu-x86_64"});
  ASSERT_TRUE(result.ok()) << result.out << result.err;
  expect_trials(2, 2);
  for (const Trial& trial : read_trial_log(log_).trials) {
    EXPECT_EQ(trial.status, TrialStatus::kOk) << trial.reason;
  }
  EXPECT_TRUE(record_files(out_).empty()) << "an emulator's times became a record";
}

// Boards behind a login, which is stood in for: `HOST COMMAND`, run in a folder of this machine.
TEST_F(TuneTiny, BoardsOneOfWhichDies) {
  const std::string ssh = folder_.file("bin/ssh");
  fs::create_directories(folder_.file("bin"));
  write_file_atomically(ssh,
                        "#!/bin/sh\nhost=$1\nshift\n"
                        "[ $host = unknown ] && { echo 'ssh: Could not resolve hostname unknown' >&2; exit 255; }\n"
                        "mkdir -p '" +
                            folder_.file("boards") +
                            "'/$host\n"
                            "echo >>'" +
                            folder_.file("calls.") +
                            "'$host\n"
                            "if [ $host = dies ] && [ $(wc -l <'" +
                            folder_.file("calls.") +
                            "'$host) -gt 3 ]; then\n"
                            "  echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255\nfi\n"
                            "TMPDIR='" +
                            folder_.file("boards") + "'/$host exec sh -c \"$*\"\n");
  fs::permissions(ssh, fs::perms::owner_all);
  const auto runner = [&ssh](const char* host) { return ssh + " " + host; };
  const ProcessResult result = tune({"--tokens", "8", "--trials", "8", "--kernels", "gather", "--runner", runner("lives"),
                                     "--runner", runner("dies"), "--runner", runner("unknown")});
  ASSERT_TRUE(result.ok()) << result.out << result.err;
  EXPECT_NE(result.out.find("Could not resolve hostname unknown"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("left out: --runner \"" + runner("dies") + "\""), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("Broken pipe"), std::string::npos) << result.out;
  expect_trials(1, 8);
  std::set<std::string> used;
  for (const Trial& trial : read_trial_log(log_).trials) {
    EXPECT_EQ(trial.status, TrialStatus::kOk) << trial.reason;
    used.insert(trial.board);
  }
  EXPECT_TRUE(used.count(runner("lives")));
  for (const char* host : {"lives", "dies"}) {
    EXPECT_TRUE(fs::is_empty(folder_.file("boards") + "/" + host)) << "a program was left behind on " << host;
  }
  for (const std::string& path : record_files(out_)) EXPECT_FALSE(load_record(path).provenance.cpu.empty());

  fs::remove(log_);
  const ProcessResult none = tune({"--tokens", "8", "--trials", "2", "--runner", runner("unknown")});
  EXPECT_FALSE(none.ok());
  EXPECT_NE(none.err.find("Could not resolve hostname unknown"), std::string::npos) << none.err;
  EXPECT_FALSE(fs::exists(log_)) << "nothing was done, so nothing is logged";
}

TEST_F(TuneTiny, ClearErrors) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{"--trials", "1", "--out", "/proc/nowhere"}, "--out /proc/nowhere"},
      {{"--trials", "1", "--log", "/proc/nowhere/x"}, "log /proc/nowhere/x"},
      {{"--trials", "1", "--runner", "no-such-emulator"}, "no-such-emulator"},
      {{"--trials", "1", "--isa", "neon"}, "--runner"},
      {{"--budget", "soon"}, "--budget soon"},
      {{"--trials", "1", "--isa", "z80"}, "z80"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> argv = {kTool, "tune", "--workload", "d_in=32 tables=4 bits=3 block=16", "--isa", "sse41"};
    for (size_t i = 0; i + 1 < c.arguments.size(); i += 2) {
      const auto there = std::find(argv.begin(), argv.end(), c.arguments[i]);
      if (there != argv.end()) {
        *(there + 1) = c.arguments[i + 1];
      } else {
        argv.insert(argv.end(), {c.arguments[i], c.arguments[i + 1]});
      }
    }
    const ProcessResult result = run_process(argv, options());
    EXPECT_FALSE(result.ok()) << c.message;
    EXPECT_NE(result.err.find(c.message), std::string::npos) << result.err;
    EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

// By a tool in a folder of its own: beside this one, there may well be a build for the ISA.
TEST_F(TuneTiny, ClearErrorWithoutBuildForAnotherArchitecture) {
  const std::string bin = folder_.file("bin"), tool = bin + "/lookupffn";
  fs::create_directories(bin);
  fs::copy_file(kTool, tool);
  const ProcessResult result = run_process({tool, "tune", "--workload", workload_, "--trials", "1", "--generator", kGenerator,
                                            "--isa", "neon", "--runner", "/bin/sh"},
                                           options());
  EXPECT_FALSE(result.ok());
  EXPECT_NE(result.err.find("scripts/target neon"), std::string::npos) << result.err;
  EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

}  // namespace
}  // namespace lookupffn
