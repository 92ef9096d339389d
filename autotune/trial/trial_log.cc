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
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) fail(path, errno != 0 ? std::strerror(errno) : "out of memory");
  std::string text;
  char buffer[1 << 16];
  int got = 0;
  while ((got = gzread(file, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(got));
  const bool bad = got < 0;
  gzclose(file);
  if (bad) fail(path, "the compressed data is damaged");
  return text;
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
      nlohmann::json object = nlohmann::json::parse(line);
      const std::string type = object.at("type").get<std::string>();
      if ((type == "header") != (line_number == 1)) {
        throw std::runtime_error("a header belongs in the first line and nowhere else");
      }
      if (type == "header") {
        content.header = std::move(object);
        content.header.at("identity").get<nlohmann::json::object_t>();
      } else if (type == "trial") {
        content.trials.push_back(trial_from_json(object));
      } else if (type == "outcome") {
        content.outcomes.push_back(std::move(object));
      } else {
        throw std::runtime_error("there is no line of type '" + type + "'");
      }
    } catch (const std::exception& error) {
      fail(path, "line " + std::to_string(line_number) + " is damaged: " + error.what());
    }
  }
  return content;
}

}  // namespace

LogContent read_trial_log(const std::string& path) {
  LogContent content = parse(path, read_text(path));
  if (content.header.is_null()) fail(path, "is empty");
  return content;
}

std::string identity_difference(const nlohmann::json& found, const nlohmann::json& wanted) {
  const auto& a = found.at("identity");
  const auto& b = wanted.at("identity");
  for (auto it = b.begin(); it != b.end(); ++it) {
    const auto other = a.find(it.key());
    const std::string now = it.value().is_string() ? it.value().get<std::string>() : it.value().dump();
    if (other == a.end()) return "does not say its " + it.key() + ", this run's is '" + now + "'";
    if (*other != it.value()) {
      const std::string then = other->is_string() ? other->get<std::string>() : other->dump();
      return "was made for " + it.key() + " '" + then + "', this run's is '" + now + "'";
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
      if (errno == EWOULDBLOCK)
        fail(path, "another tuner is writing to it; wait for it, or name another with --log");
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
      content_ = parse(path, text);
      if (!content_.header.is_null()) {
        const std::string difference = identity_difference(content_.header, header);
        if (!difference.empty()) fail(path, difference + "; name another with --log");
      }
      if (content_.whole_bytes < text.size() &&
          ftruncate(file_, static_cast<off_t>(content_.whole_bytes)) != 0) {
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
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  struct stat status {};
  if (fstat(file_, &status) != 0) fail(path_, system_reason());
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(file_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const std::string reason = system_reason();
      // Take back the part that fitted, so that the next line starts at a line's start.
      if (ftruncate(file_, status.st_size) != 0)
        fail(path_, reason + " (and a torn line could not be removed)");
      fail(path_, reason);
    }
    done += static_cast<size_t>(n);
  }
  if (fdatasync(file_) != 0 && errno != EINVAL && errno != EROFS) fail(path_, system_reason());
}

}  // namespace lookupffn
