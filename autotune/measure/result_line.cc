#include "result_line.h"

#include "content_hash.h"

namespace lookupffn {
namespace {

const std::string kMark = "lookupffn-measure ";
constexpr size_t kHashDigits = 16;

}  // namespace

std::string result_line(const std::string& body) { return kMark + content_hash(body) + " " + body + "\n"; }

std::optional<std::string> find_result(const std::string& output) {
  std::optional<std::string> found;
  for (size_t at = output.find(kMark); at != std::string::npos; at = output.find(kMark, at + 1)) {
    const size_t hash = at + kMark.size(), body = hash + kHashDigits + 1;
    const size_t end = output.find('\n', at);
    if (end == std::string::npos || body > end) continue;
    std::string text = output.substr(body, end - body);
    if (!text.empty() && text.back() == '\r') text.pop_back();  // a terminal in between
    if (output.compare(hash, kHashDigits, content_hash(text)) == 0) found = std::move(text);
  }
  return found;
}

}  // namespace lookupffn
