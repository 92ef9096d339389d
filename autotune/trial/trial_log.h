// The tuner's log: JSON lines, a header and then one a trial, each on the disk before the next trial begins.
#ifndef LOOKUPFFN_TRIAL_LOG_H
#define LOOKUPFFN_TRIAL_LOG_H

#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernel_outcome.h"
#include "search/cost_model.h"
#include "trial.h"

namespace lookupffn {

struct LogContent {
  nlohmann::json header;
  std::vector<Trial> trials;
  std::vector<KernelOutcome> outcomes;  // one a kernel that was finished
  size_t whole_bytes = 0;               // up to and with the last line's end: what follows is torn
};

// Reads a log, leaving out a torn last line. Files whose name ends in .gz are decompressed. Throws
// std::runtime_error naming the file, the line, what is wrong and what to do.
LogContent read_trial_log(const std::string& path);

// Caches of the machine that the log was made on, as far as its header says.
CacheSizes caches_of(const nlohmann::json& header);

// Why the log with header `found` cannot be continued by a run with header `wanted`, "" where it can. Both
// headers' "identity" objects must agree: "was made on CPU 'A', this is 'B'".
std::string identity_difference(const nlohmann::json& found, const nlohmann::json& wanted);

// A log that is open for appending; no other process can open it meanwhile.
class TrialLog {
 public:
  // header: {"type": "header", "identity": {what a continued run must share}, ...what is worth knowing}.
  // resume: an existing log is continued (and one that is not there begun); else the file must be new or
  // empty. Throws std::runtime_error, one line: not writable, in use by another tuner, there already,
  // another identity, damaged.
  TrialLog(const std::string& path, const nlohmann::json& header, bool resume);
  ~TrialLog();
  TrialLog(const TrialLog&) = delete;
  TrialLog& operator=(const TrialLog&) = delete;

  const LogContent& content() const { return content_; }  // what it held when it was opened
  const std::string& path() const { return path_; }

  // Writes the line and waits until the disk has it. Throws std::runtime_error (a full disk, ...); then the
  // file holds what it held before.
  void append(const nlohmann::json& line);

  // From now on append() does not return, and what it had begun is on the disk: for a program that is about to end.
  // May be called from another thread.
  void close_for_good() { appending_.lock(); }

 private:
  std::mutex appending_;
  std::string path_;
  int file_ = -1;
  LogContent content_;
};

}  // namespace lookupffn
#endif
