#include "boards.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

namespace lookupffn {
namespace {

std::string name_of(const Runner& runner) { return "--runner \"" + runner.command() + "\""; }

}  // namespace

Boards::Boards(const std::vector<std::string>& commands, std::function<void(const std::string&)> left_out)
    : left_out_(std::move(left_out)) {
  std::set<std::string> seen;
  for (const std::string& command : commands) {
    boards_.emplace_back(command);
    // Two programs at once on one machine would disturb each other.
    if (!boards_.back().runner.emulator() && !seen.insert(command).second) {
      throw std::runtime_error(name_of(boards_.back().runner) + " is given twice: name each board once");
    }
  }
  if (boards_.empty()) boards_.emplace_back("");
  count_ = boards_.size();
}

bool Boards::emulated() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return found_emulated_ ||
         std::any_of(boards_.begin(), boards_.end(), [](const Board& board) { return board.runner.emulator(); });
}

std::string Boards::text() const {
  std::string text;
  for (const Board& board : boards_) {
    if (board.in_use) text += (text.empty() ? "" : ", ") + name_of(board.runner);
  }
  return text;
}

size_t Boards::in_use() const {
  return size_t(std::count_if(boards_.begin(), boards_.end(), [](const Board& board) { return board.in_use; }));
}

void Boards::greet(const ArchitectureRow& architecture) {
  std::vector<std::string> troubles(boards_.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < boards_.size(); ++i) {
    threads.emplace_back([&, i] { troubles[i] = boards_[i].runner.trouble(architecture); });
  }
  for (std::thread& thread : threads) thread.join();
  std::string all;
  for (size_t i = 0; i < boards_.size(); ++i) {
    if (!troubles[i].empty()) all += (all.empty() ? "" : "; ") + name_of(boards_[i].runner) + ": " + troubles[i];
  }
  for (size_t i = 0; i < boards_.size(); ++i) {
    if (troubles[i].empty()) continue;
    boards_[i].in_use = false;
    count_ = in_use();
    if (in_use() == 0) throw std::runtime_error("no board can be measured on: " + all);
    if (left_out_) left_out_("left out: " + name_of(boards_[i].runner) + ": " + troubles[i]);
  }
}

bool Boards::take(const Board& board, Work& work, Waiting* taken) const {
  const bool alone = in_use() == 1;
  const auto next = std::find_if(work.waiting.begin(), work.waiting.end(), [&](const Waiting& waiting) {
    return (waiting.only == nullptr || waiting.only == &board) && (alone || waiting.lost_by != &board);
  });
  if (next == work.waiting.end()) return false;
  *taken = *next;
  work.waiting.erase(next);
  return true;
}

void Boards::leave_out(Board& board, Work* work, const std::string& why) {
  board.in_use = false;
  count_ = in_use();
  const auto its = [&board](const Waiting& waiting) { return waiting.only == &board; };
  work->waiting.erase(std::remove_if(work->waiting.begin(), work->waiting.end(), its), work->waiting.end());
  if (left_out_)
    left_out_("left out: " + name_of(board.runner) + " " + why + "; " + std::to_string(in_use()) + " of " +
              std::to_string(boards_.size()) + " go on");
}

void Boards::work_at(Board& board, Work& work) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto fail = [&work](std::exception_ptr failure) {
    work.failure = failure;
    work.go_on = false;
  };
  Waiting taken{};
  while (work.go_on && board.in_use && take(board, work, &taken)) {
    Measurement measured;
    try {
      const std::string executable = work.jobs.executable(taken.job);
      const MeasureRequest request = work.jobs.request(taken.job);
      lock.unlock();
      measured = board.runner.run(executable, request);
      lock.lock();
    } catch (const std::exception& error) {
      // Programs may not be run there at all.
      if (!lock.owns_lock()) lock.lock();
      if (in_use() == 1) return fail(std::current_exception());
      if (taken.only == nullptr) work.waiting.insert(work.waiting.begin(), taken);
      leave_out(board, &work, error.what());
      continue;
    }
    const bool started = measured.status == Measurement::Status::kStarted;
    const bool silent = started || measured.status == Measurement::Status::kNothing;
    board.silent_in_a_row = silent && !board.runner.here() ? board.silent_in_a_row + 1 : 0;
    const bool alone = in_use() == 1;
    if (alone && board.silent_in_a_row >= kMostSilent) {
      return fail(std::make_exception_ptr(std::runtime_error("nothing came back from " + name_of(board.runner) + " " +
                                                             std::to_string(kMostSilent) + " times in a row (" +
                                                             measured.reason + "); mend it and continue with --resume")));
    }
    // Of one that began and was not heard of again by two boards, the program is to blame.
    if (started && taken.lost_by != nullptr && taken.lost_by != &board) board.silent_in_a_row = 0;
    const bool again = !alone && silent && !(started && taken.lost_by != nullptr && taken.lost_by != &board);
    if (again) {
      if (started) taken.lost_by = &board;
      if (taken.only == nullptr || !started) work.waiting.insert(work.waiting.begin(), taken);
      if (board.silent_in_a_row >= kMostSilentOfSeveral) leave_out(board, &work, "does not answer (" + measured.reason + ")");
      continue;
    }
    found_emulated_ = found_emulated_ || measured.emulated;
    if (measured.status == Measurement::Status::kOk && !measured.emulated) {
      if (cpu_.empty()) cpu_ = measured.cpu;
      if (!alone && !measured.cpu.empty() && measured.cpu != cpu_) {
        if (taken.only == nullptr) work.waiting.insert(work.waiting.begin(), taken);
        leave_out(board, &work, "has another CPU, " + measured.cpu + ", than the first, " + cpu_ + ": tune on it by itself");
        continue;
      }
    }
    try {
      work.go_on = work.jobs.done(taken.job, measured) && work.go_on;
    } catch (...) {
      return fail(std::current_exception());
    }
  }
}

void Boards::measure(Work* work) {
  // A board that ended because nothing waited comes back for what another gave up.
  while (work->go_on && !work->waiting.empty()) {
    std::vector<std::thread> threads;
    for (Board& board : boards_) {
      if (board.in_use && boards_.size() == 1) work_at(board, *work);
      if (board.in_use && boards_.size() > 1) threads.emplace_back([this, &board, work] { work_at(board, *work); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  if (work->failure) std::rethrow_exception(work->failure);
}

void Boards::measure(const Jobs& jobs) {
  Work work{jobs, {}, true, nullptr};
  for (size_t i = 0; i < jobs.count; ++i) work.waiting.push_back({i});
  measure(&work);
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

std::vector<Measurement> Boards::run_on_each(const std::string& executable, const MeasureRequest& request) {
  std::vector<Measurement> results(boards_.size());
  std::vector<bool> done(boards_.size());
  Jobs jobs;
  jobs.executable = [&](size_t) { return executable; };
  jobs.request = [&](size_t) { return request; };
  jobs.done = [&](size_t i, const Measurement& measured) {
    results[i] = measured;
    done[i] = true;
    return true;
  };
  Work work{jobs, {}, true, nullptr};
  for (size_t i = 0; i < boards_.size(); ++i) {
    if (boards_[i].in_use) work.waiting.push_back({i, nullptr, &boards_[i]});
  }
  measure(&work);
  std::vector<Measurement> measured;
  for (size_t i = 0; i < boards_.size(); ++i) {
    if (done[i] && boards_[i].in_use) measured.push_back(results[i]);
  }
  return measured;
}

}  // namespace lookupffn
