#include "runner.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "architectures.h"
#include "atomic_file.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

constexpr int kTries = 3;
constexpr double kGreetingSeconds = 30;
constexpr int kMayNotBeRun = 126;  // a shell's exit status for a program that it may not execute
const std::string kRemote = "remote:";

// Takes the size of the executable that comes first on the standard input: what follows is not its.
std::string remote_script(size_t bytes, const std::vector<std::string>& arguments) {
  std::string script = "f=$(mktemp \"${TMPDIR:-/tmp}/lookupffn_measure.XXXXXX\") && head -c " + std::to_string(bytes) +
                       " >\"$f\" && chmod 700 \"$f\" && \"$f\"";
  for (const std::string& argument : arguments) script += " '" + argument + "'";  // they hold no quotes
  return script + "; s=$?; rm -f \"$f\"; exit $s";
}

// ssh asks for passwords, and whether a host is known, on the terminal. Here nobody is there to answer.
std::vector<std::pair<std::string, std::string>> asks_nobody() {
  if (std::getenv("SSH_ASKPASS_REQUIRE") != nullptr) return {};
  return {{"SSH_ASKPASS_REQUIRE", "force"}, {"SSH_ASKPASS", "false"}};
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const size_t start = text.rfind('\n', end);
  std::string line =
      text.substr(start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? 0 : start + 1) + 1);
  if (line.size() > 160) line = line.substr(0, 160) + "...";
  for (char& c : line) {
    if (!std::isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return line;
}

}  // namespace

std::vector<std::string> split_words(const std::string& command) {
  std::vector<std::string> words;
  bool open = false;  // a word has begun
  char quote = 0;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (quote == 0 && std::isspace(static_cast<unsigned char>(c))) {
      open = false;
      continue;
    }
    if (!open) words.emplace_back();
    open = true;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < command.size()) {
      words.back() += command[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) throw std::runtime_error("--runner \"" + command + "\": a quote is not closed");
  return words;
}

Runner::Runner(const std::string& command) : command_(command) {
  if (command.empty()) return;
  std::string text = command;
  if (text.compare(0, kRemote.size(), kRemote) == 0) {
    remote_ = true;
    text = text.substr(kRemote.size());
  }
  words_ = split_words(text);
  if (words_.empty()) throw std::runtime_error("--runner \"" + command + "\": names no program");
  if (std::filesystem::path(words_[0]).filename() == "ssh") remote_ = true;
  if (find_program(words_[0]).empty()) {
    throw std::runtime_error("--runner \"" + command + "\": there is no program '" + words_[0] + "'");
  }
}

bool Runner::emulator() const {
  if (remote_) return false;  // its words may be names of machines
  for (const std::string& word : words_) {
    const std::string program = std::filesystem::path(word).filename().string();
    for (const ArchitectureRow& row : kArchitectures) {
      const std::string emulator = split_words(row.emulator)[0];
      if (program == emulator || program == emulator + "-static") return true;
    }
  }
  return false;
}

std::string Runner::trouble(const ArchitectureRow& architecture) const {
  if (!remote_) return "";
  std::vector<std::string> argv = words_;
  argv.push_back("uname -m");
  ProcessOptions options;
  options.time_limit_seconds = kGreetingSeconds;
  options.environment = asks_nobody();
  const ProcessResult process = run_process(argv, options);
  std::string said = last_line(process.err);
  if (process.ok()) {
    // Between what else a login says.
    std::istringstream lines(process.out);
    std::string machine;
    for (std::string line; std::getline(lines, line);) {
      machine = last_line(line).empty() ? machine : last_line(line);
      for (const std::string& name : split_words(architecture.processors)) {
        if (machine == name) return "";
      }
    }
    if (machine.empty()) return "it answers nothing to `uname -m`" + (said.empty() ? "" : ", but says '" + said + "'");
    return "it is no " + std::string(architecture.name) + " machine: `uname -m` says '" + machine + "' there";
  }
  if (said.empty()) said = last_line(process.out);
  return process.what_happened() + (said.empty() ? "" : ": '" + said + "'");
}

Measurement Runner::run(const std::string& executable, const MeasureRequest& request) const {
  const std::vector<std::string> arguments = measure_arguments(request);
  std::vector<std::string> argv = words_;
  ProcessOptions options;
  if (remote_) {
    options.input = read_file(executable);
    options.environment = asks_nobody();
    argv.push_back(remote_script(options.input.size(), arguments));
  } else {
    argv.push_back(executable);
    argv.insert(argv.end(), arguments.begin(), arguments.end());
  }
  // The program ends itself first and says so; this is for whatever does not.
  options.time_limit_seconds = request.time_limit + (here() ? 2 : 10);
  Measurement measurement;
  double seconds = 0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const ProcessResult process = run_process(argv, options);
    seconds += process.seconds;
    measurement = parse_measurement(process.out);
    measurement.seconds = seconds;
    measurement.board = command_;
    const bool silent =
        measurement.status == Measurement::Status::kNothing || measurement.status == Measurement::Status::kStarted;
    if (!silent) return measurement;
    std::string said = last_line(process.err);
    if (said.empty()) said = last_line(process.out);
    if (process.end == ProcessResult::End::kTimedOut) {
      if (measurement.status == Measurement::Status::kStarted && !remote_) {
        // It ran and hung so badly that its own alarm did not end it.
        measurement.status = Measurement::Status::kTimeout;
        measurement.reason = "did not end within its time limit";
        return measurement;
      }
      // Behind a login it is likelier that the machine was switched off than that the alarm there did not end it.
      measurement.reason =
          "the runner did not end within " + std::to_string(static_cast<int>(options.time_limit_seconds)) + " s";
      if (attempt > 0) break;  // every try costs the whole time limit
      continue;
    }
    measurement.reason = "no result came back: " + process.what_happened();
    if (!said.empty()) measurement.reason += ", the last line was '" + said + "'";
    const bool may_not_be_run = process.end == ProcessResult::End::kNotStarted ||
                                (!here() && process.end == ProcessResult::End::kExited && process.exit_status == kMayNotBeRun);
    if (may_not_be_run && attempt == kTries - 1) {
      throw std::runtime_error("the measuring program cannot be run" + (here() ? "" : " by --runner \"" + command_ + "\"") +
                               ": " + measurement.reason +
                               "; is its temporary folder mounted noexec, or was it cleared? Name another with TMPDIR, "
                               "and continue with --resume");
    }
    if (here() && process.end == ProcessResult::End::kSignalled) return measurement;  // nobody else to blame
  }
  return measurement;
}

}  // namespace lookupffn
