// The places that candidates are measured at: this machine, an emulator, or one board or several.
#ifndef LOOKUPFFN_BOARDS_H
#define LOOKUPFFN_BOARDS_H

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "runner.h"

namespace lookupffn {

// Boards that nothing comes back from are left out; the others go on.
class Boards {
 public:
  // A board a command, as for Runner; none: this machine. left_out(message) is called for a board that is, never by two
  // threads at once. Throws std::runtime_error as Runner does.
  explicit Boards(const std::vector<std::string>& commands, std::function<void(const std::string&)> left_out = nullptr);

  bool here() const { return boards_[0].runner.here(); }
  bool emulated() const;     // is one of them an emulator, whose times are nobody's?
  std::string text() const;  // the commands, for messages

  // How many are in use.
  size_t count() const;

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
  // times in a row is left out. Throws std::runtime_error where it was the last.
  void measure(const Jobs& jobs);

  // One measurement, by a board that is in use.
  Measurement run(const std::string& executable, const MeasureRequest& request);

 private:
  static constexpr int kMostSilent = 10;          // of the last board
  static constexpr int kMostSilentOfSeveral = 2;  // of one of several

  struct Board {
    explicit Board(const std::string& command) : runner(command) {}
    Runner runner;
    int silent_in_a_row = 0;
    bool in_use = true;
  };

  void work(Board& board, const Jobs& jobs, std::vector<size_t>& waiting, bool& go_on, std::exception_ptr& failure);
  size_t in_use() const;

  std::vector<Board> boards_;
  std::function<void(const std::string&)> left_out_;
  mutable std::mutex mutex_;
};

}  // namespace lookupffn
#endif
