#include "generator_sources.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <vector>

#include "atomic_file.h"
#include "content_hash.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Where the literal that begins with the quote at `at` ends; `text` is C++.
size_t literal_end(const std::string& text, size_t at) {
  if (text[at] == '"' && at > 0 && text[at - 1] == 'R') {
    const size_t open = text.find('(', at);
    if (open == std::string::npos) return text.size();
    const std::string close = ")" + text.substr(at + 1, open - at - 1) + "\"";
    const size_t end = text.find(close, open);
    return end == std::string::npos ? text.size() : end + close.size();
  }
  size_t end = at + 1;
  while (end < text.size() && text[end] != text[at]) end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

// C++ without comments, and with white space only where it parts two words. Literals stay as they are.
std::string bare_code(const std::string& text) {
  std::string code;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      space = true;
      ++i;
      continue;
    }
    if (text.compare(i, 2, "//") == 0 || text.compare(i, 2, "/*") == 0) {
      const bool line = text[i + 1] == '/';
      const size_t end = line ? text.find('\n', i) : text.find("*/", i + 2);
      i = end == std::string::npos ? text.size() : end + (line ? 0 : 2);
      space = true;
      continue;
    }
    if (space && !code.empty() && is_word(code.back()) && is_word(c)) code += ' ';
    space = false;
    const bool digit_separator = c == '\'' && i > 0 && is_word(text[i - 1]);
    const size_t end = c == '"' || (c == '\'' && !digit_separator) ? literal_end(text, i) : i + 1;
    code.append(text, i, end - i);
    i = end;
  }
  return code;
}

}  // namespace

std::set<std::string> generator_sources(const std::string& folder, const std::string& kernel) {
  static const std::regex include("(^|\\n)[ \\t]*#[ \\t]*include[ \\t]*\"([^\"\\n]+)\"");
  const auto there = [&folder](const std::string& name) {
    return fs::is_regular_file(fs::path(folder) / name);
  };
  std::set<std::string> found;
  std::vector<std::string> open = {kernel + "_generator.cc"};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!found.insert(name).second) continue;
    const std::string text = read_file(folder + "/" + name);
    for (std::sregex_iterator at(text.begin(), text.end(), include), last; at != last; ++at) {
      const std::string header = (*at)[2];
      if (!there(header)) continue;
      open.push_back(header);
      const std::string definitions = fs::path(header).replace_extension(".cc").string();
      if (there(definitions)) open.push_back(definitions);
    }
  }
  return found;
}

std::string generator_sources_hash(const std::string& folder, const std::string& kernel) {
  std::string all;
  for (const std::string& name : generator_sources(folder, kernel)) {
    all += name + '\n' + bare_code(read_file(folder + "/" + name)) + '\n';
  }
  return content_hash(all);
}

}  // namespace lookupffn
