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
    jobs.request = [](size_t) {
      MeasureRequest request;
      request.spec = {"gather", "avx2", "small", {{"bits", "4"}, {"d_out", "32"}, {"table_type", "f32"}, {"tables", "8"}}};
      request.tokens = 8;
      return request;
    };
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
  jobs.request = [](size_t) {
    MeasureRequest request;
    request.spec = {"gather", "avx2", "small", {{"bits", "4"}, {"d_out", "32"}, {"table_type", "f32"}, {"tables", "8"}}};
    return request;
  };
  jobs.done = [](size_t, const Measurement&) { return true; };
  EXPECT_THROW(boards.measure(jobs), std::runtime_error);
  EXPECT_EQ(left_out_.size(), 1u);
}

TEST_F(BoardsTest, KnowsEmulators) {
  for (const char* name : {"qemu-aarch64", "qemu-riscv64-static", "node"}) {
    EXPECT_TRUE(Boards({board(name, "") + " -L /somewhere"}).emulated()) << name;
  }
  EXPECT_FALSE(Boards({board("ssh", "") + " board"}).emulated());
  EXPECT_FALSE(Boards({}).emulated());
  EXPECT_TRUE(Boards({}).here());
}

}  // namespace
}  // namespace lookupffn
