// What the measuring program still says when a kernel ends it.
#ifndef LOOKUPFFN_LAST_WORDS_H
#define LOOKUPFFN_LAST_WORDS_H

#include <string>

namespace lookupffn {

// From now on a fatal signal prints a result line {"status": "crash", "reason": ...} and ends the process,
// and so does the time limit with "timeout". Where this process is a child on the tuner's own machine it ends
// when its parent does.
void install_last_words(double time_limit_seconds);

// Writes a result line and leaves, without running anything else.
[[noreturn]] void say_and_leave(const std::string& body, int exit_status);

}  // namespace lookupffn
#endif
