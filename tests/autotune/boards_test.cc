// Several boards share out what is measured; one that does not answer is left out and what it had goes to others.
#include "trial/boards.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "atomic_file.h"
#include "measure/result_line.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

class BoardsTest : public testing::Test {
 protected:
  // A stand-in for a board: its command gets the executable's path, which it notes.
  std::string board(const std::string& name, const std::string& then) {
    const std::string path = folder_.file(name);
    write_file_atomically(path, "#!/bin/sh\necho \"$1\" >> '" + path + ".calls'\n" + then);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  std::string good(const std::string& name, const std::string& then = "") {
    write_file_atomically(folder_.file("answer"),
                          result_line(R"({"status":"started"})") +
                              result_line(R"j({"status":"ok","ended_early":false,"incumbent":[2,2],"candidate":[1,1]})j"));
    return board(name, then + "cat '" + folder_.file("answer") + "'\n");
  }
  static MeasureRequest request() {
    MeasureRequest request;
    request.spec = {"gather", "avx2", "small", {{"bits", "4"}, {"d_out", "32"}, {"table_type", "f32"}, {"tables", "8"}}};
    request.tokens = 8;
    return request;
  }
  size_t calls(const std::string& name) const {
    if (!std::filesystem::exists(folder_.file(name + ".calls"))) return 0;
    const std::string text = read_file(folder_.file(name + ".calls"));
    return size_t(std::count(text.begin(), text.end(), '\n'));
  }
  // Measures so many; which were done, each once, with a result.
  std::set<size_t> measured(Boards* boards, size_t count) {
    std::set<size_t> done;
    Boards::Jobs jobs;
    jobs.count = count;
    jobs.executable = [](size_t i) { return "/program" + std::to_string(i); };
    jobs.request = [](size_t) { return request(); };
    jobs.done = [&](size_t i, const Measurement& measurement) {
      EXPECT_EQ(measurement.status, Measurement::Status::kOk) << measurement.reason;
      EXPECT_TRUE(done.insert(i).second) << i << " was done twice";
      return true;
    };
    boards->measure(jobs);
    return done;
  }
  ScratchFolder folder_;
  std::vector<std::string> left_out_;
  std::function<void(const std::string&)> note_ = [this](const std::string& message) { left_out_.push_back(message); };
};

TEST_F(BoardsTest, ShareOut) {
  // Neither ends its first job before the other has begun one.
  const std::string wait = "for i in 1 2 3 4 5 6 7 8 9; do [ -e '" + folder_.file("a.calls") + "' ] && [ -e '" +
                           folder_.file("b.calls") + "' ] && break; sleep 1; done\n";
  Boards boards({good("a", wait), good("b", wait)}, note_);
  EXPECT_EQ(measured(&boards, 8).size(), 8u);
  EXPECT_GT(calls("a"), 0u);
  EXPECT_GT(calls("b"), 0u);
  EXPECT_EQ(calls("a") + calls("b"), 8u);
  EXPECT_TRUE(left_out_.empty());
  EXPECT_FALSE(boards.here());
}

TEST_F(BoardsTest, ADeadOneIsLeftOut) {
  Boards boards({board("dead", "exit 255\n"), good("alive", "sleep 0.1\n")}, note_);
  EXPECT_EQ(measured(&boards, 12).size(), 12u);
  EXPECT_EQ(calls("alive"), 12u);
  ASSERT_EQ(left_out_.size(), 1u);
  EXPECT_NE(left_out_[0].find("dead"), std::string::npos) << left_out_[0];
  EXPECT_EQ(boards.count(), 1u);
  const size_t before = calls("dead");
  EXPECT_EQ(measured(&boards, 3).size(), 3u);
  EXPECT_EQ(calls("dead"), before) << "it is asked no more";
}

TEST_F(BoardsTest, WithoutAnyThereIsAnError) {
  Boards boards({board("first", "exit 255\n"), board("second", "exit 255\n")}, note_);
  Boards::Jobs jobs;
  jobs.count = 30;
  jobs.executable = [](size_t) { return "/program"; };
  jobs.request = [](size_t) { return request(); };
  jobs.done = [](size_t, const Measurement&) { return true; };
  EXPECT_THROW(boards.measure(jobs), std::runtime_error);
  EXPECT_EQ(left_out_.size(), 1u);
}

// A stand-in for ssh: `HOST COMMAND`, to a folder of this machine; the line that it runs first may end it.
TEST_F(BoardsTest, SaysWhichBoardCannotBeReachedAndWhatSshSaid) {
  const ArchitectureRow& here = architecture_row(kThisArchitecture);
  const std::string processors = here.processors, machine = processors.substr(0, processors.find(' '));
  const std::string ssh = board("ssh",
                                "case $1 in\n"
                                "far) echo 'ssh: connect to host far port 22: No route to host' >&2; exit 255;;\n"
                                "other) echo Welcome; echo riscv64; exit 0;;\n"
                                "mute) exit 0;;\n"
                                "esac\nshift\nexec sh -c \"uname() { echo " +
                                    machine + "; }; $*\"\n");
  const auto at = [&](const std::string& host) { return ssh + " " + host; };
  Boards boards({at("near"), at("far"), at("other"), at("mute")}, note_);
  boards.greet(here);
  EXPECT_EQ(boards.count(), 1u);
  ASSERT_EQ(left_out_.size(), 3u);
  EXPECT_NE(left_out_[0].find(at("far")), std::string::npos) << left_out_[0];
  EXPECT_NE(left_out_[0].find("No route to host"), std::string::npos) << left_out_[0];
  EXPECT_NE(left_out_[1].find("riscv64"), std::string::npos) << left_out_[1];
  EXPECT_NE(left_out_[2].find(at("mute")), std::string::npos) << left_out_[2];
  EXPECT_EQ(boards.text().find("far"), std::string::npos);
  try {
    Boards({at("far"), at("other")}, note_).greet(here);
    ADD_FAILURE();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("No route to host"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("riscv64"), std::string::npos) << error.what();
  }
  EXPECT_THROW(Boards({at("near"), at("near")}), std::runtime_error);
}

TEST_F(BoardsTest, OneThatDiesInTheMiddleIsLeftOut) {
  const std::string count = "n=$(wc -l <'" + folder_.file("dies.calls") + "'); [ $n -gt 3 ] && exit 255\n";
  Boards boards({good("dies", count), good("lives", "sleep 0.05\n")}, note_);
  EXPECT_EQ(measured(&boards, 20).size(), 20u);
  ASSERT_EQ(left_out_.size(), 1u);
  EXPECT_NE(left_out_[0].find("dies"), std::string::npos) << left_out_[0];
  EXPECT_NE(left_out_[0].find("1 of 2"), std::string::npos) << left_out_[0];
  EXPECT_EQ(calls("lives"), 17u);
}

// What began and was not heard of again may be the board's fault or the program's: another board tells.
TEST_F(BoardsTest, AnotherBoardTriesWhatWasLost) {
  const std::string lost = "case $1 in *program3) cat '" + folder_.file("lost") + "'; exit 0;; esac\n";
  write_file_atomically(folder_.file("lost"), result_line(R"({"status":"started"})"));
  Boards one_loses({good("loses", lost), good("keeps", "sleep 0.05\n")}, note_);
  EXPECT_EQ(measured(&one_loses, 8).size(), 8u);
  EXPECT_TRUE(left_out_.empty());

  Boards both_lose({good("first", lost), good("second", lost)}, note_);
  size_t crashed = 0, done = 0;
  Boards::Jobs jobs;
  jobs.count = 8;
  jobs.executable = [](size_t i) { return "/program" + std::to_string(i); };
  jobs.request = [](size_t) { return request(); };
  jobs.done = [&](size_t i, const Measurement& measurement) {
    ++done;
    crashed += measurement.status == Measurement::Status::kStarted;
    EXPECT_EQ(measurement.status == Measurement::Status::kStarted, i == 3);
    return true;
  };
  both_lose.measure(jobs);
  EXPECT_EQ(done, 8u);
  EXPECT_EQ(crashed, 1u);
  EXPECT_TRUE(left_out_.empty()) << left_out_[0];
}

TEST_F(BoardsTest, AllHaveTheSameCpu) {
  const auto with_cpu = [this](const std::string& name, const std::string& cpu) {
    const std::string path = folder_.file(name + ".answer");
    write_file_atomically(
        path, result_line(R"j({"status":"ok","ended_early":false,"incumbent":[2],"candidate":[1],"cpu":")j" + cpu + "\"}"));
    return board(name, "cat '" + path + "'\n");
  };
  Boards boards({with_cpu("a", "Cortex A"), with_cpu("b", "Cortex A"), with_cpu("c", "Cortex C")}, note_);
  EXPECT_LE(boards.run_on_each("/program", request()).size(), 2u);
  EXPECT_EQ(measured(&boards, 6).size(), 6u);
  for (const std::string& line : left_out_) {
    EXPECT_NE(line.find("another CPU"), std::string::npos) << line;
    EXPECT_NE(line.find("Cortex A"), std::string::npos) << line;
  }
  EXPECT_FALSE(left_out_.empty());
}

TEST_F(BoardsTest, EachShowsItself) {
  Boards boards({good("a"), board("dead", "exit 255\n"), good("b")}, note_);
  const std::vector<Measurement> each = boards.run_on_each("/program", request());
  ASSERT_EQ(each.size(), 2u);
  EXPECT_EQ(each[0].board, folder_.file("a"));
  EXPECT_EQ(each[1].board, folder_.file("b"));
  EXPECT_EQ(left_out_.size(), 1u);
}

TEST_F(BoardsTest, KnowsEmulators) {
  for (const char* name : {"qemu-aarch64", "qemu-riscv64-static", "node"}) {
    EXPECT_TRUE(Boards({board(name, "") + " -L /somewhere"}).emulated()) << name;
    EXPECT_TRUE(Boards({"env QEMU_CPU=max " + board(name, "")}).emulated()) << name;
  }
  EXPECT_FALSE(Boards({board("ssh", "") + " node"}).emulated());
  // Programs find out by themselves, whatever the runner is called.
  write_file_atomically(
      folder_.file("emulated"),
      result_line(R"j({"status":"ok","ended_early":false,"incumbent":[2],"candidate":[1],"emulated":true})j"));
  Boards wrapped({board("wrapper", "cat '" + folder_.file("emulated") + "'\n")});
  EXPECT_FALSE(wrapped.emulated());
  wrapped.run("/program", request());
  EXPECT_TRUE(wrapped.emulated());
  EXPECT_FALSE(Boards({}).emulated());
  EXPECT_TRUE(Boards({}).here());
}

}  // namespace
}  // namespace lookupffn
