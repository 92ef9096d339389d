#include "trial_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "json_fields.h"

namespace lookupffn {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw std::runtime_error("log " + path + ": " + what);
}

std::string system_reason() {
  const int reason = errno;
  std::string text = std::strerror(reason);
  if (reason == ENOSPC || reason == EDQUOT) text += "; free some space and continue with --resume";
  if (reason == EROFS || reason == EACCES) text += "; name a file that can be written with --log";
  return text;
}

// Plain and gzip files alike: zlib reads both.
std::string read_text(const std::string& path) {
  // Without waiting for the writer of a pipe.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail(path, std::strerror(errno));
  struct stat status {};
  gzFile file = nullptr;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) file = gzdopen(descriptor, "rb");
  if (file == nullptr) {
    close(descriptor);
    fail(path, S_ISREG(status.st_mode) ? "out of memory" : "is not a file");
  }
  errno = 0;
  std::string text;
  char buffer[1 << 16];
  int got = 0;
  while ((got = gzread(file, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(got));
  const int error = errno;
  const bool bad = got < 0;
  const bool cut_off = gzclose(file) == Z_BUF_ERROR;
  if (bad && error != 0) fail(path, std::strerror(error));
  if (bad || cut_off) fail(path, "the compressed data is damaged or cut off: fetch the file anew or name another log");
  return text;
}

// Whether the text can only have been written by a tuner: its first line is a header, or it ends within this run's header,
// so that nothing is lost when that is written.
bool begins_as_log(const std::string& text, const std::string& header_line) {
  const size_t end = text.find('\n');
  if (end == std::string::npos) {
    const std::string before_the_date = header_line.substr(0, header_line.find("\"started_unix\""));
    return header_line.compare(0, text.size(), text) == 0 || text.compare(0, before_the_date.size(), before_the_date) == 0;
  }
  const nlohmann::json first = nlohmann::json::parse(text.substr(0, end), nullptr, false);
  if (!first.is_object()) return false;
  const auto type = first.find("type"), identity = first.find("identity");
  return type != first.end() && *type == "header" && identity != first.end() && identity->is_object();
}

void check_header(const nlohmann::json& header) {
  const nlohmann::json& identity = json_field(header, "identity");
  if (!identity.is_object()) throw std::runtime_error("'identity' is not an object");
  for (const auto& [name, value] : identity.items()) {
    if (!value.is_string() && !value.is_number()) {
      throw std::runtime_error("'identity." + name + "' is neither a text nor a number");
    }
  }
  caches_of(header);
}

void parse_line(const std::string& line, bool first, LogContent* content) {
  nlohmann::json object = parse_json(line);
  const std::string type = text_field(object, "type");
  if ((type == "header") != first) throw std::runtime_error("a header belongs in the first line and nowhere else");
  if (type == "header") {
    check_header(object);
    content->header = std::move(object);
  } else if (type == "trial") {
    content->trials.push_back(trial_from_json(object));
  } else if (type == "outcome") {
    content->outcomes.push_back(outcome_from_json(object));
  } else {
    throw std::runtime_error("there is no line of type '" + type + "'");
  }
}

LogContent parse(const std::string& path, const std::string& text) {
  LogContent content;
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // torn: whoever wrote it was killed, nothing counts on it
    ++line_number;
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    content.whole_bytes = begin;
    try {
      parse_line(line, line_number == 1, &content);
    } catch (const std::exception& error) {
      fail(path, "line " + std::to_string(line_number) + " is damaged: " + error.what() +
                     (line_number == 1 ? "; name another log" : "; delete this line to go on without it, or name another log"));
    }
  }
  return content;
}

}  // namespace

CacheSizes caches_of(const nlohmann::json& header) {
  CacheSizes caches;
  if (!header.contains("cache_bytes")) return caches;
  const nlohmann::json& bytes = json_field(header, "cache_bytes");
  const auto level = [&bytes](const char* name, auto* size) {
    // An object's members are all optional, but what is no object is none.
    if (!bytes.is_object() || bytes.contains(name)) *size = count_field(bytes, name, 0, uint64_t{1} << 50);
  };
  level("l1d", &caches.l1d);
  level("l2", &caches.l2);
  level("l3", &caches.l3);
  return caches;
}

LogContent read_trial_log(const std::string& path) {
  LogContent content = parse(path, read_text(path));
  if (content.header.is_null()) fail(path, "is empty");
  return content;
}

std::string identity_difference(const nlohmann::json& found, const nlohmann::json& wanted) {
  const auto& a = found.at("identity");
  const auto& b = wanted.at("identity");
  const auto text = [](const nlohmann::json& value) { return value.is_string() ? value.get<std::string>() : json_line(value); };
  for (auto it = b.begin(); it != b.end(); ++it) {
    const auto other = a.find(it.key());
    const std::string now = text(it.value());
    if (other == a.end()) return "does not say its " + it.key() + ", this run's is '" + now + "'";
    if (*other != it.value()) {
      return "was made for " + it.key() + " '" + text(*other) + "', this run's is '" + now + "'";
    }
  }
  for (auto it = a.begin(); it != a.end(); ++it) {
    if (!b.contains(it.key())) return "says " + it.key() + ", which this version does not know";
  }
  return "";
}

TrialLog::TrialLog(const std::string& path, const nlohmann::json& header, bool resume) : path_(path) {
  // Closed on exec: a child that outlives us for a moment must not hold the lock.
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail(path, system_reason());
  try {
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) fail(path, "another tuner is writing to it; wait for it, or name another with --log");
      fail(path, system_reason());
    }
    struct stat status {};
    if (fstat(file_, &status) != 0) fail(path, system_reason());
    if (!S_ISREG(status.st_mode)) fail(path, "is not a file");
    if (status.st_size > 0) {
      if (!resume) fail(path, "is there already; continue it with --resume, or name another with --log");
      std::string text(static_cast<size_t>(status.st_size), '\0');
      size_t got = 0;
      while (got < text.size()) {
        const ssize_t n = pread(file_, &text[got], text.size() - got, static_cast<off_t>(got));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail(path, n < 0 ? system_reason() : "shrank while it was read");
        got += static_cast<size_t>(n);
      }
      if (!begins_as_log(text, json_line(header) + "\n")) {
        fail(path, "is no log of lookupffn tune and is left as it is; name another with --log, or delete it");
      }
      content_ = parse(path, text);
      if (!content_.header.is_null()) {
        // As it would be read: bytes that are not UTF-8 were replaced.
        const std::string difference = identity_difference(content_.header, parse_json(json_line(header)));
        if (!difference.empty()) fail(path, difference + "; name another with --log");
      }
      if (content_.whole_bytes < text.size() && ftruncate(file_, static_cast<off_t>(content_.whole_bytes)) != 0) {
        fail(path, system_reason());
      }
    }
    if (content_.header.is_null()) {
      append(header);
      content_.header = header;
      // The file's name must survive a crash of the machine as well.
      const std::string folder = std::filesystem::path(path).parent_path().string();
      const int directory = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (directory >= 0) {
        fsync(directory);
        close(directory);
      }
    }
  } catch (...) {
    close(file_);
    throw;
  }
}

TrialLog::~TrialLog() { close(file_); }

void TrialLog::append(const nlohmann::json& line) {
  const std::lock_guard<std::mutex> lock(appending_);
  const std::string text = json_line(line) + "\n";
  struct stat status {};
  if (fstat(file_, &status) != 0) fail(path_, system_reason());
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(file_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const std::string reason = system_reason();
      // Take back the part that fitted, so that the next line starts at a line's start.
      if (ftruncate(file_, status.st_size) != 0) fail(path_, reason + " (and a torn line could not be removed)");
      fail(path_, reason);
    }
    done += static_cast<size_t>(n);
  }
  if (fdatasync(file_) != 0 && errno != EINVAL && errno != EROFS) fail(path_, system_reason());
}

}  // namespace lookupffn
