// Where kernels are measured may fail in every way that there is; results are exact or none.
#include "trial/runner.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "atomic_file.h"
#include "measure/result_line.h"
#include "scratch_folder.h"
#include "trial/gain.h"
#include "trial/measure_call.h"

namespace lookupffn {
namespace {

using Status = Measurement::Status;

const std::string kGood = R"j({"status":"ok","ended_early":false,"incumbent":[2,2.5,2],"candidate":[1,1.25,1]})j";

class RunnerTest : public testing::Test {
 protected:
  std::string script(const std::string& name, const std::string& body) {
    const std::string path = folder_.file(name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    write_file_atomically(path, "#!/bin/sh\n" + body);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  // A stand-in for the measuring program that says these lines.
  std::string program(const std::string& name, const std::string& lines, const std::string& then = "") {
    write_file_atomically(folder_.file(name + ".txt"), lines);
    return script(name, "cat '" + folder_.file(name + ".txt") + "'\n" + then);
  }
  MeasureRequest request(double time_limit = 20) {
    MeasureRequest request;
    request.spec = {"gather", "avx2", "small", {{"bits", "4"}, {"d_out", "32"}, {"table_type", "f32"}, {"tables", "8"}}};
    request.tokens = 8;
    request.time_limit = time_limit;
    return request;
  }
  ScratchFolder folder_;
};

TEST_F(RunnerTest, RunsHere) {
  const std::string exe = program("measure", result_line(R"({"status":"started"})") + result_line(kGood));
  const Measurement measured = Runner("").run(exe, request());
  ASSERT_EQ(measured.status, Status::kOk) << measured.reason;
  EXPECT_EQ(measured.candidate, (std::vector<double>{1, 1.25, 1}));
  EXPECT_EQ(measured.incumbent, (std::vector<double>{2, 2.5, 2}));
}

TEST_F(RunnerTest, NoiseAroundTheResultDoesNotMatter) {
  const std::string exe = program("measure", "Welcome to board!\r\nlookupffn-measure\n" + result_line(kGood) + "\nbye");
  EXPECT_EQ(Runner("").run(exe, request()).status, Status::kOk);
}

TEST_F(RunnerTest, AGarbledResultIsNone) {
  const std::string good = result_line(kGood);
  for (size_t i = 0; i < good.size() - 1; i += 5) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(parse_measurement(bad).status, Status::kNothing) << bad;
    EXPECT_EQ(parse_measurement(good.substr(0, i)).status, Status::kNothing);
  }
  EXPECT_EQ(parse_measurement(good).status, Status::kOk);
  // Whole, but not sound.
  for (const char* body : {R"({"status":"ok"})", R"({"status":"ok","ended_early":false,"incumbent":[1],"candidate":[]})",
                           R"({"status":"ok","ended_early":false,"incumbent":[1],"candidate":[-1]})", "[]", "nonsense"}) {
    EXPECT_EQ(parse_measurement(result_line(body)).status, Status::kNothing) << body;
  }
}

TEST_F(RunnerTest, SaysWhatTheProgramSaid) {
  const struct {
    const char* body;
    Status status;
  } cases[] = {{R"({"status":"incorrect","reason":"bits"})", Status::kIncorrect},
               {R"({"status":"crash","reason":"SIGSEGV"})", Status::kCrash},
               {R"({"status":"timeout","reason":"limit"})", Status::kTimeout},
               {R"({"status":"unfit","reason":"no such ISA"})", Status::kUnfit}};
  for (const auto& c : cases) {
    const std::string exe = program("measure", result_line(R"({"status":"started"})") + result_line(c.body), "exit 2\n");
    const Measurement measured = Runner("").run(exe, request());
    EXPECT_EQ(measured.status, c.status) << c.body;
    EXPECT_FALSE(measured.reason.empty());
  }
}

TEST_F(RunnerTest, AProgramThatHangsIsKilledWithItsChildren) {
  const std::string exe = program("measure", result_line(R"({"status":"started"})"), "sleep 300 & sleep 300\n");
  const Measurement measured = Runner("").run(exe, request(0.5));
  EXPECT_EQ(measured.status, Status::kTimeout);
  EXPECT_LT(measured.seconds, 100);
}

TEST_F(RunnerTest, AProgramThatDiesIsReported) {
  const std::string exe = program("measure", result_line(R"({"status":"started"})"), "kill -SEGV $$\n");
  const Measurement measured = Runner("").run(exe, request());
  EXPECT_EQ(measured.status, Status::kStarted);
  EXPECT_NE(measured.reason.find("signal 11"), std::string::npos) << measured.reason;
}

// A temporary folder that is mounted noexec, here or there, is not the candidate's fault.
TEST_F(RunnerTest, AProgramThatMayNotBeRunIsAnErrorNotAResult) {
  const std::string exe = program("measure", result_line(kGood));
  std::filesystem::permissions(exe, std::filesystem::perms::owner_read);
  const std::string ssh = script("bin/ssh", "shift\necho 'Permission denied' >&2\nexit 126\n");
  for (const std::string& command : {std::string(), ssh + " board"}) {
    try {
      Runner(command).run(exe, request());
      ADD_FAILURE() << command;
    } catch (const std::runtime_error& error) {
      const std::string words = error.what();
      EXPECT_NE(words.find("Permission denied"), std::string::npos) << words;
      EXPECT_NE(words.find("noexec"), std::string::npos) << words;
    }
  }
}

// Of five attempts one passes, one fails, one garbles, one says nothing and one hangs; every result is right.
TEST_F(RunnerTest, AnUnreliableRunnerNeverGivesAWrongResult) {
  const std::string exe = program("measure", result_line(kGood));
  const std::string counter = folder_.file("counter");
  const std::string wrapper = script("wrapper", "n=$(cat '" + counter +
                                                    "' 2>/dev/null || echo 7)\n"
                                                    "n=$(( (n * 1103 + 12345) % 65536 )); echo $n >'" +
                                                    counter +
                                                    "'\n"
                                                    "case $(( n / 7 % 5 )) in\n"
                                                    "0) echo 'connection reset' >&2; exit 255;;\n"
                                                    "1) \"$@\" | tr 5 7;;\n"
                                                    "2) exit 0;;\n"
                                                    "*) exec \"$@\";;\n"
                                                    "esac\n");
  const Runner runner("'" + wrapper + "'");
  int good = 0, silent = 0;
  for (int i = 0; i < 40; ++i) {
    const Measurement measured = runner.run(exe, request());
    if (measured.status == Status::kOk) {
      ++good;
      EXPECT_EQ(measured.candidate, (std::vector<double>{1, 1.25, 1}));
    } else {
      ++silent;
      EXPECT_EQ(measured.status, Status::kNothing);
      EXPECT_FALSE(measured.reason.empty());
    }
  }
  EXPECT_GT(good, silent);
}

TEST_F(RunnerTest, ARunnerThatHangsIsATimeoutNotAResult) {
  const std::string exe = program("measure", result_line(kGood));
  const std::string wrapper = script("wrapper", "sleep 300\n");
  MeasureRequest quick = request(-9);  // a runner is given ten seconds more
  const Measurement measured = Runner(wrapper).run(exe, quick);
  EXPECT_EQ(measured.status, Status::kNothing);
  EXPECT_NE(measured.reason.find("did not end"), std::string::npos) << measured.reason;
}

// A stand-in for ssh: the host, then a command line for the shell there.
TEST_F(RunnerTest, ShipsTheProgramThroughALogin) {
  const std::string exe = program("measure", result_line(kGood));
  const std::string there = folder_.file("board");
  std::filesystem::create_directories(there);
  const std::string ssh =
      script("bin/ssh", "test \"$1\" = board || exit 255\nshift\nTMPDIR='" + there + "' exec sh -c \"$*\"\n");
  const Measurement measured = Runner(ssh + " board").run(exe, request());
  EXPECT_EQ(measured.status, Status::kOk) << measured.reason;
  EXPECT_TRUE(std::filesystem::is_empty(there)) << "the program was left behind";
  const std::string other = script("bin/login", "shift\nTMPDIR='" + there + "' exec sh -c \"$*\"\n");
  EXPECT_EQ(Runner("remote: " + other + " x").run(exe, request()).status, Status::kOk);
  EXPECT_EQ(Runner(ssh + " elsewhere").run(exe, request()).status, Status::kNothing);
}

TEST(SplitWords, LikeAShell) {
  EXPECT_EQ(split_words("  ssh -p 22  'my board' a\\ b \"c d\"e "),
            (std::vector<std::string>{"ssh", "-p", "22", "my board", "a b", "c de"}));
  EXPECT_EQ(split_words("''"), (std::vector<std::string>{""}));
  EXPECT_THROW(split_words("a 'b"), std::runtime_error);
}

TEST(RunnerErrors, AProgramThatIsNotThereIsNamed) {
  try {
    Runner runner("no-such-emulator -x");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("no-such-emulator"), std::string::npos);
  }
  EXPECT_THROW(Runner("  "), std::runtime_error);
}

TEST(MeasuredGain, MedianOfPairsWithItsSpread) {
  std::vector<double> slow, fast;
  for (int i = 0; i < 31; ++i) {
    // The machine drifts by a factor of 3 over the samples; the pairs do not mind.
    const double drift = 1 + 2.0 * i / 30;
    slow.push_back(2 * drift * (1 + 0.001 * (i % 5)));
    fast.push_back(drift);
  }
  const MeasuredGain gain = measured_gain(slow, fast);
  EXPECT_NEAR(gain.gain, 2, 0.01);
  EXPECT_LE(gain.low, gain.gain);
  EXPECT_GE(gain.high, gain.gain);
  EXPECT_GT(gain.low, 1.99);
  const MeasuredGain one = measured_gain({3}, {2});
  EXPECT_EQ(one.low, one.high);
}

}  // namespace
}  // namespace lookupffn
