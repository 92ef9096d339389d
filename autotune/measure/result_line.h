// What the measuring program says on its standard output: lines that can be told from noise around them.
#ifndef LOOKUPFFN_RESULT_LINE_H
#define LOOKUPFFN_RESULT_LINE_H

#include <optional>
#include <string>

namespace lookupffn {

// "lookupffn-measure HASH BODY\n", HASH the content hash of BODY: a line that was garbled on its way is not
// taken for a result.
std::string result_line(const std::string& body);

// The body of the last whole line of that kind in a program's output, none where there is none.
std::optional<std::string> find_result(const std::string& output);

}  // namespace lookupffn
#endif
