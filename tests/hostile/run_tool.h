// The program `lookupffn` as users call it, and what each of its failures must be: one line.
#ifndef LOOKUPFFN_TESTS_HOSTILE_RUN_TOOL_H
#define LOOKUPFFN_TESTS_HOSTILE_RUN_TOOL_H

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "subprocess.h"

namespace lookupffn {

// `shell`: a shell script that gets the command as "$@", such as `exec "$@" >/dev/full`; "": none.
inline ProcessResult run_tool(std::vector<std::string> arguments, const std::string& shell = "") {
  arguments.insert(arguments.begin(), LOOKUPFFN_TEST_TOOL);
  if (!shell.empty()) arguments.insert(arguments.begin(), {"sh", "-c", shell, "sh"});
  ProcessOptions options;
  options.time_limit_seconds = 60;
  options.environment = {{"LOOKUPFFN_ISA", ""}};
  return run_process(arguments, options);
}

// A failure: nothing on standard output, one line of a size that is read on standard error, which holds all of `named`.
inline void expect_one_line(const ProcessResult& result, const std::vector<std::string>& named) {
  SCOPED_TRACE(result.err);
  ASSERT_EQ(result.end, ProcessResult::End::kExited) << result.what_happened();
  EXPECT_NE(result.exit_status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << "lines";
  EXPECT_LT(result.err.size(), 500u);
  EXPECT_EQ(result.err.compare(0, 9, "lookupffn"), 0) << "does not say who speaks";
  for (const std::string& name : named) {
    EXPECT_NE(result.err.find(name), std::string::npos) << "does not name '" << name << "'";
  }
}

inline bool is_utf8(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = byte < 0x80                   ? 1
                          : byte >= 0xc2 && byte < 0xe0 ? 2
                          : byte >= 0xe0 && byte < 0xf0 ? 3
                          : byte >= 0xf0 && byte < 0xf5 ? 4
                                                        : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace lookupffn
#endif
