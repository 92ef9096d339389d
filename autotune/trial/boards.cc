#include "boards.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <utility>

namespace lookupffn {

Boards::Boards(const std::vector<std::string>& commands, std::function<void(const std::string&)> left_out)
    : left_out_(std::move(left_out)) {
  for (const std::string& command : commands) boards_.emplace_back(command);
  if (boards_.empty()) boards_.emplace_back("");
}

bool Boards::emulated() const {
  return std::any_of(boards_.begin(), boards_.end(), [](const Board& board) { return board.runner.emulator(); });
}

std::string Boards::text() const {
  std::string text;
  for (const Board& board : boards_) text += (text.empty() ? "--runner \"" : ", --runner \"") + board.runner.command() + "\"";
  return text;
}

size_t Boards::in_use() const {
  return size_t(std::count_if(boards_.begin(), boards_.end(), [](const Board& board) { return board.in_use; }));
}

size_t Boards::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return in_use();
}

void Boards::work(Board& board, const Jobs& jobs, std::vector<size_t>& waiting, bool& go_on, std::exception_ptr& failure) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (go_on && board.in_use && !waiting.empty()) {
    const size_t job = waiting.front();
    waiting.erase(waiting.begin());
    Measurement measured;
    std::string why;
    try {
      const std::string executable = jobs.executable(job);
      const MeasureRequest request = jobs.request(job);
      lock.unlock();
      measured = board.runner.run(executable, request);
      lock.lock();
      why = measured.reason;
    } catch (const std::exception& error) {
      // Programs may not be run there at all.
      if (!lock.owns_lock()) lock.lock();
      if (in_use() == 1) {
        failure = std::current_exception();
        go_on = false;
        return;
      }
      board.silent_in_a_row = kMostSilentOfSeveral;
      why = error.what();
    }
    const bool silent = measured.status == Measurement::Status::kNothing;
    const bool started = measured.status == Measurement::Status::kStarted;
    board.silent_in_a_row = (silent || started) && !board.runner.here() ? board.silent_in_a_row + 1 : 0;
    if (in_use() == 1) {
      if (board.silent_in_a_row >= kMostSilent) {
        failure = std::make_exception_ptr(std::runtime_error("nothing came back from --runner \"" + board.runner.command() +
                                                             "\" " + std::to_string(kMostSilent) + " times in a row (" + why +
                                                             "); mend it and continue with --resume"));
        go_on = false;
        return;
      }
    } else if (silent) {
      waiting.insert(waiting.begin(), job);
      if (board.silent_in_a_row >= kMostSilentOfSeveral) {
        board.in_use = false;
        if (left_out_) left_out_("left out: --runner \"" + board.runner.command() + "\" does not answer (" + why + ")");
      }
      continue;
    }
    try {
      go_on = jobs.done(job, measured) && go_on;
    } catch (...) {
      failure = std::current_exception();
      go_on = false;
    }
  }
}

void Boards::measure(const Jobs& jobs) {
  std::vector<size_t> waiting;
  for (size_t i = 0; i < jobs.count; ++i) waiting.push_back(i);
  bool go_on = true;
  std::exception_ptr failure;
  // A board that ended because nothing waited comes back for what another gave up.
  while (go_on && !waiting.empty()) {
    std::vector<std::thread> threads;
    for (Board& board : boards_) {
      if (board.in_use && boards_.size() == 1) work(board, jobs, waiting, go_on, failure);
      if (board.in_use && boards_.size() > 1) threads.emplace_back([&, this] { work(board, jobs, waiting, go_on, failure); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  if (failure) std::rethrow_exception(failure);
}

Measurement Boards::run(const std::string& executable, const MeasureRequest& request) {
  Measurement result;
  Jobs jobs;
  jobs.count = 1;
  jobs.executable = [&](size_t) { return executable; };
  jobs.request = [&](size_t) { return request; };
  jobs.done = [&](size_t, const Measurement& measured) {
    result = measured;
    return true;
  };
  measure(jobs);
  return result;
}

}  // namespace lookupffn
