// The log keeps what was tried, whatever happens to whoever writes it.
#include "trial/trial_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <chrono>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "scratch_folder.h"

namespace lookupffn {
namespace {

nlohmann::json header(const std::string& machine = "A CPU", const std::string& version = "1",
                      const std::string& shape = "d_in=64") {
  return {{"type", "header"}, {"identity", {{"machine", machine}, {"version", version}, {"shape", shape}}}};
}

Trial trial(int number) {
  Trial trial;
  trial.spec = {"gather", "avx2", "small", {{"bits", "4"}, {"d_out", "64"}, {"table_type", "f32"}, {"tables", "8"}}};
  trial.tokens = 8;
  trial.schedule = {{"d_tile", std::to_string(number)}};
  trial.status = number % 3 == 2 ? TrialStatus::kCrash : TrialStatus::kOk;
  trial.reason = trial.status == TrialStatus::kOk ? "" : "segmentation fault";
  trial.cost = 1 + number;
  trial.us_per_token = 2;
  trial.incumbent_us_per_token = 1;
  trial.samples = {2, 2.5};
  return trial;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void append_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

// The message of what opening throws, "" where it opens.
std::string refusal(const std::string& path, const nlohmann::json& with, bool resume) {
  try {
    TrialLog log(path, with, resume);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

class TrialLogTest : public testing::Test {
 protected:
  ScratchFolder directory_;
  std::string path_ = directory_.path() + "/log.jsonl";
};

TEST_F(TrialLogTest, TrialsComeBack) {
  KernelOutcome outcome;
  outcome.spec = trial(0).spec;
  outcome.tokens = 8;
  outcome.gain = 1.5;
  {
    TrialLog log(path_, header(), false);
    for (int i = 0; i < 5; ++i) log.append(to_json(trial(i)));
    log.append(to_json(outcome));
  }
  TrialLog log(path_, header(), true);
  ASSERT_EQ(log.content().trials.size(), 5u);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(to_json(log.content().trials[i]), to_json(trial(i)));
  }
  ASSERT_EQ(log.content().outcomes.size(), 1u);
  EXPECT_EQ(to_json(log.content().outcomes[0]), to_json(outcome));
}

TEST_F(TrialLogTest, EveryTornLastLineIsDroppedAndTheRestKept) {
  std::string whole;
  {
    TrialLog log(path_, header(), false);
    for (int i = 0; i < 3; ++i) log.append(to_json(trial(i)));
    whole = text_of(path_);
  }
  const size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (size_t cut = last; cut < whole.size(); cut += 7) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
    TrialLog log(path_, header(), true);
    EXPECT_EQ(log.content().trials.size(), 2u) << cut;
    log.append(to_json(trial(7)));
    const LogContent again = read_trial_log(path_);
    ASSERT_EQ(again.trials.size(), 3u) << cut;
    EXPECT_EQ(again.trials[2].schedule.at("d_tile"), "7");
  }
}

TEST_F(TrialLogTest, ATornHeaderIsNoLogYet) {
  nlohmann::json then = header(), now = header();
  then["started_unix"] = 1;
  now["started_unix"] = 2;
  const std::string line = then.dump();
  for (size_t cut = 1; cut <= line.size(); ++cut) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << line.substr(0, cut);
    TrialLog log(path_, now, true);
    log.append(to_json(trial(1)));
    EXPECT_EQ(read_trial_log(path_).trials.size(), 1u);
  }
}

TEST_F(TrialLogTest, AFileThatIsNoLogStaysAsItIs) {
  const std::string trial_line = to_json(trial(1)).dump();
  for (const std::string& text :
       {std::string("notes without an end"), std::string("notes\nmore"), std::string("{\"type\":"), std::string("{}"),
        std::string("{\"type\": \"header\"}\nmore"), std::string("\n"), std::string("[1, 2]\n{\"a\""), std::string(3, '\0'),
        trial_line, trial_line + "\n" + trial_line}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
    for (const bool resume : {false, true}) {
      EXPECT_NE(refusal(path_, header(), resume), "") << text;
      EXPECT_EQ(text_of(path_), text);
    }
    EXPECT_NE(refusal(path_, header(), true).find("is no log of lookupffn tune"), std::string::npos);
  }
}

TEST_F(TrialLogTest, AForeignLogIsRefusedWithTheReason) {
  { TrialLog log(path_, header(), false); }
  EXPECT_EQ(refusal(path_, header(), true), "");
  const std::string machine = refusal(path_, header("B CPU"), true);
  EXPECT_NE(machine.find("was made for machine 'A CPU', this run's is 'B CPU'"), std::string::npos) << machine;
  const std::string version = refusal(path_, header("A CPU", "2"), true);
  EXPECT_NE(version.find("version '1'"), std::string::npos) << version;
  const std::string shape = refusal(path_, header("A CPU", "1", "d_in=768"), true);
  EXPECT_NE(shape.find("shape 'd_in=64'"), std::string::npos) << shape;
  EXPECT_EQ(read_trial_log(path_).header, header());
}

TEST_F(TrialLogTest, ALogThatIsThereIsNotOverwritten) {
  { TrialLog log(path_, header(), false); }
  const std::string message = refusal(path_, header(), false);
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
}

TEST_F(TrialLogTest, TheSecondOfTwoTunersSaysSo) {
  TrialLog first(path_, header(), false);
  for (const bool resume : {false, true}) {
    const std::string message = refusal(path_, header(), resume);
    EXPECT_NE(message.find("another tuner is writing to it"), std::string::npos) << message;
  }
}

TEST_F(TrialLogTest, ADamagedLineIsNamed) {
  {
    TrialLog log(path_, header(), false);
    log.append(to_json(trial(0)));
  }
  append_text(path_, "{\"type\":\"trial\",\"kernel\":3}\n");
  const std::string message = refusal(path_, header(), true);
  EXPECT_NE(message.find("line 3 is damaged"), std::string::npos) << message;
}

TEST_F(TrialLogTest, AFullDiskIsAClearErrorAndNothingIsTorn) {
  TrialLog log(path_, header(), false);
  log.append(to_json(trial(0)));
  const std::string before = text_of(path_);
  // The kernel's own limit on a file's size stands for a disk that is full: a part of the line fits.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{before.size() + 20, old.rlim_max};
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    log.append(to_json(trial(1)));
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, old_handler);
  EXPECT_NE(message.find(path_), std::string::npos);
  EXPECT_EQ(text_of(path_), before);
  log.append(to_json(trial(2)));
  EXPECT_EQ(read_trial_log(path_).trials.size(), 2u);
}

TEST_F(TrialLogTest, AFolderThatIsNotThereIsAClearError) {
  const std::string message = refusal(directory_.path() + "/none/log.jsonl", header(), false);
  EXPECT_NE(message.find("No such file or directory"), std::string::npos) << message;
}

TEST_F(TrialLogTest, ACompressedLogIsRead) {
  {
    TrialLog log(path_, header(), false);
    log.append(to_json(trial(4)));
  }
  const std::string text = text_of(path_), packed = path_ + ".gz";
  gzFile file = gzopen(packed.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
  gzclose(file);
  EXPECT_EQ(read_trial_log(packed).trials.size(), 1u);
}

// A writer is killed twenty times at random moments; each time the next one goes on where it stopped.
TEST_F(TrialLogTest, KilledAtRandomMomentsLosesAtMostTheTrialInFlight) {
  std::mt19937 random(7);
  size_t before = 0;
  for (int round = 0; round < 20; ++round) {
    int started[2];
    ASSERT_EQ(pipe(started), 0);
    const pid_t child = fork();
    if (child == 0) {
      TrialLog log(path_, header(), true);
      const int first = static_cast<int>(log.content().trials.size());
      for (int i = first; i < first + 100000; ++i) {
        const Trial next = trial(i);
        log.append(to_json(next));
        // Only what is kept is reported: the reader below holds us to it.
        if (write(started[1], &i, sizeof i) != sizeof i) _exit(1);
      }
      _exit(0);
    }
    close(started[1]);
    int last = -1, got = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 20000 + 1000);
    bool killed = false;
    while (read(started[0], &got, sizeof got) == sizeof got) {
      last = got;
      if (!killed && std::chrono::steady_clock::now() > end) {
        kill(child, SIGKILL);
        killed = true;
      }
    }
    close(started[0]);
    int status = 0;
    waitpid(child, &status, 0);
    TrialLog log(path_, header(), true);
    const auto& trials = log.content().trials;
    ASSERT_GE(trials.size(), before);
    ASSERT_GE(static_cast<int>(trials.size()), last + 1);
    for (size_t i = 0; i < trials.size(); ++i) ASSERT_EQ(trials[i].schedule.at("d_tile"), std::to_string(i));
    before = trials.size();
  }
  EXPECT_GT(before, 0u);
}

}  // namespace
}  // namespace lookupffn
