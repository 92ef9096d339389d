// The places that candidates are measured at: this machine, an emulator, or one board or several.
#ifndef LOOKUPFFN_BOARDS_H
#define LOOKUPFFN_BOARDS_H

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "runner.h"

namespace lookupffn {

// Boards that nothing comes back from are left out; the others go on. A trial compares two kernels in one program on one board:
// each is its own baseline. All must have the same CPU, as a schedule is tuned for one.
class Boards {
 public:
  // A board a command, as for Runner; none: this machine. left_out(message) is called for a board that is, never by two
  // threads at once. Throws std::runtime_error as Runner does, and for a command that is there twice.
  explicit Boards(const std::vector<std::string>& commands, std::function<void(const std::string&)> left_out = nullptr);

  bool here() const { return boards_[0].runner.here(); }
  bool emulated() const;     // is one of them an emulator, or did a program find itself in one? Its times are no machine's
  std::string text() const;  // the commands of those that are in use, for messages

  // How many are in use, and how many there were.
  size_t count() const { return count_; }  // may be asked while they measure
  size_t all() const { return boards_.size(); }

  // Asks each that is behind a login whether it answers and is of this architecture; leaves out those that do not. Throws
  // std::runtime_error, naming each with what was seen, where none is left.
  void greet(const ArchitectureRow& architecture);

  // One to be measured. `done` is called with the result of each job, by its index, as it comes, never by two threads at
  // once; it says whether to go on. A job's request is asked for when its turn comes, under the same lock.
  struct Jobs {
    size_t count = 0;
    std::function<std::string(size_t)> executable;
    std::function<MeasureRequest(size_t)> request;
    std::function<bool(size_t, const Measurement&)> done;
  };

  // Measures all, each on one board, a job at a time on each. What a board gave no sign of life for goes to another: only
  // where it is the last is the measurement Measurement::Status::kNothing handed over. A board that did not answer kMostSilent
  // times in a row is left out, and so is one whose CPU is another than that of the first to answer. What began on a board and
  // was not heard of again is tried by another: the second time the program is to blame. Throws std::runtime_error where the
  // last board is silent.
  void measure(const Jobs& jobs);

  // One measurement, by a board that is in use.
  Measurement run(const std::string& executable, const MeasureRequest& request);

  // One measurement by each board that is in use, at the same time, in their order: Measurement::board names it. What fails
  // there as it does for measure() is left out of the result.
  std::vector<Measurement> run_on_each(const std::string& executable, const MeasureRequest& request);

 private:
  static constexpr int kMostSilent = 10;          // of the last board
  static constexpr int kMostSilentOfSeveral = 2;  // of one of several

  struct Board {
    explicit Board(const std::string& command) : runner(command) {}
    Runner runner;
    int silent_in_a_row = 0;
    bool in_use = true;
  };

  // A job that waits for a board.
  struct Waiting {
    size_t job;
    const Board* lost_by = nullptr;  // began there and was not heard of again
    const Board* only = nullptr;     // the board that it is for
  };

  // What the threads of a measure() share.
  struct Work {
    const Jobs& jobs;
    std::vector<Waiting> waiting;
    bool go_on = true;
    std::exception_ptr failure;
  };

  void measure(Work* work);
  void work_at(Board& board, Work& work);
  // The next that this board may do, or none.
  bool take(const Board& board, Work& work, Waiting* taken) const;
  void leave_out(Board& board, Work* work, const std::string& why);
  size_t in_use() const;

  std::vector<Board> boards_;
  std::string cpu_;  // of all boards, "" as long as none has said it
  bool found_emulated_ = false;
  std::function<void(const std::string&)> left_out_;
  std::atomic<size_t> count_{0};
  mutable std::mutex mutex_;
};

}  // namespace lookupffn
#endif
