// Runs the measuring program, here or wherever the kernels are to run.
#ifndef LOOKUPFFN_RUNNER_H
#define LOOKUPFFN_RUNNER_H

#include <string>
#include <vector>

#include "architectures.h"
#include "measure_call.h"

namespace lookupffn {

// Splits a command into words as a shell does: white space, '...', "...", \x. Throws std::runtime_error for a
// quote that is not closed.
std::vector<std::string> split_words(const std::string& command);

// A way to run an executable. A login never asks anything: where it would need a password, it fails and says so. Immutable, but
// runs must not overlap: two at once would disturb each other.
class Runner {
 public:
  // command "": the executable is run here. "WORDS...": runs `WORDS... EXECUTABLE ARGUMENTS...` here, for
  // emulators and wrappers. "ssh ..." and "remote: WORDS..." (which must end in a login that takes a command
  // line for a POSIX shell as its next word, as ssh does): the executable travels through the command's
  // standard input into a temporary file there, runs, and is removed, all in one login.
  // Throws std::runtime_error where the command is empty words or its program is not there.
  explicit Runner(const std::string& command);

  const std::string& command() const { return command_; }  // "" for here
  bool here() const { return words_.empty(); }
  bool emulator() const;  // is a word of it one of registry/architectures.def's, whose times say nothing of any machine?

  // Before anything is compiled: does the machine behind a login answer, and is it of this architecture? "" where it does (or
  // where there is no login: the first trial tells), else what was seen, in one line with what the login said.
  std::string trouble(const ArchitectureRow& architecture) const;

  // Runs `executable` (a path) as the request says. Where the candidate cannot be to blame (nothing or
  // garbage came back) it is tried again, three times in all. Status kNothing or kStarted in the answer then
  // means: in vain, with a reason that says what was seen. Throws std::runtime_error where programs may not be run at all,
  // which says nothing about the candidate.
  Measurement run(const std::string& executable, const MeasureRequest& request) const;

 private:
  std::string command_;
  std::vector<std::string> words_;
  bool remote_ = false;
};

}  // namespace lookupffn
#endif
