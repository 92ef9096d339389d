// Logs, records and manifests in which a value is missing, of a wrong type, huge or negative: each is read, or refused in
// one clear line; nothing goes on for ever.
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "atomic_file.h"
#include "json_fields.h"
#include "kernel_outcome.h"
#include "report.h"
#include "run_tool.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "search/replay.h"
#include "trial/trial_log.h"

namespace lookupffn {
namespace {

using Json = nlohmann::json;

const std::string kSweep = std::string(LOOKUPFFN_TEST_DATA) + "/../../schedules/sweeps/gather_avx512_small.jsonl.gz";

// A header, `count` trials (a crash among them) and an outcome.
std::vector<Json> sample_log(size_t count = 6) {
  const LogContent sweep = read_trial_log(kSweep);
  std::vector<Json> lines = {sweep.header};
  for (size_t i = 0; i < count; ++i) lines.push_back(to_json(sweep.trials.at(i)));
  Trial crash = sweep.trials.at(count);
  crash.status = TrialStatus::kCrash;
  crash.reason = "segmentation fault";
  lines.push_back(to_json(crash));
  KernelOutcome outcome;
  outcome.spec = crash.spec;
  outcome.tokens = crash.tokens;
  outcome.trials = count + 1;
  outcome.schedule = crash.schedule;
  lines.push_back(to_json(outcome));
  return lines;
}

std::string text_of(const std::vector<Json>& lines) {
  std::string text;
  for (const Json& line : lines) text += line.dump() + "\n";
  return text;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Reads the log as --replay and --resume do and goes through all that is done with its content. "" or the message.
std::string use_log(const std::string& path) {
  LogContent log;
  try {
    log = read_trial_log(path);
    ReplayOptions options;
    options.runs = 1;
    options.trials = 4;
    replay(log, options);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  const std::string picture = search_picture(log.trials);
  EXPECT_LT(picture.size(), 200'000u);
  for (const char* no_number : {"\"nan", "\"-nan", "\"inf", "\"-inf", "Hnan", "Vnan", "Mnan", "Hinf", "Vinf", "Minf"}) {
    EXPECT_EQ(picture.find(no_number), std::string::npos) << picture;
  }
  EXPECT_LT(outcome_table(log.outcomes, caches_of(log.header)).size(), 100'000u);
  return "";
}

void expect_clear(const std::string& message) {
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  EXPECT_LT(message.size(), 600u) << message;
}

// Every way in which one value can be wrong.
const char* const kWrongValues[] = {"null",
                                    "true",
                                    "-1",
                                    "0",
                                    "0.5",
                                    "1e-9",
                                    "1e-320",
                                    "1e300",
                                    "-1e300",
                                    "99999999999999999999",
                                    "9223372036854775807",
                                    "18446744073709551615",
                                    "\"\"",
                                    "\"x\"",
                                    "\"1e999\"",
                                    "\"nan\"",
                                    "\"-1\"",
                                    "\"99999999999999999999\"",
                                    "[]",
                                    "[null]",
                                    "[1]",
                                    "{}",
                                    "{\"a\":1}"};

// Calls `use` with each value of `object`, at any depth, replaced by each wrong value, and removed.
void for_each_damage(const Json& object,
                     const std::function<void(const Json& damaged, const std::string& place, const std::string& value)>& use) {
  std::vector<Json::json_pointer> places;
  const std::function<void(const Json&, const Json::json_pointer&)> collect = [&](const Json& value,
                                                                                  const Json::json_pointer& at) {
    if (!at.empty()) places.push_back(at);
    if (value.is_object()) {
      for (const auto& [name, member] : value.items()) collect(member, at / name);
    } else if (value.is_array() && !value.empty()) {
      collect(value[0], at / 0);
    }
  };
  collect(object, Json::json_pointer());
  for (const Json::json_pointer& place : places) {
    for (const char* wrong : kWrongValues) {
      Json damaged = object;
      damaged[place] = Json::parse(wrong);
      use(damaged, place.to_string(), wrong);
    }
    Json damaged = object;
    Json& parent = damaged[place.parent_pointer()];
    if (parent.is_array()) {
      parent.erase(0);
    } else {
      parent.erase(place.back());
    }
    use(damaged, place.to_string(), "removed");
  }
}

class DamagedLog : public testing::Test {
 protected:
  ScratchFolder folder_;
  std::string path_ = folder_.file("log.jsonl");
};

TEST_F(DamagedLog, TheWholeOneIsRead) {
  write(path_, text_of(sample_log()));
  EXPECT_EQ(use_log(path_), "");
}

TEST_F(DamagedLog, AnOutcomeWithoutAMemberIsNamedWithALineAndARemedy) {
  const std::vector<Json> lines = sample_log();
  for (const auto& [name, value] : lines.back().items()) {
    std::vector<Json> damaged = lines;
    damaged.back().erase(name);
    write(path_, text_of(damaged));
    const std::string message = use_log(path_);
    expect_clear(message);
    for (const std::string& part :
         {path_, "line " + std::to_string(lines.size()), "'" + name + "' is missing", std::string("delete this line")}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
    // The way that users meet it.
    expect_one_line(run_tool({"tune", "--replay", path_}), {path_, "'" + name + "' is missing", "delete this line"});
  }
}

TEST_F(DamagedLog, EveryWrongValueIsReadOrNamedInOneLine) {
  const std::vector<Json> lines = sample_log(4);
  size_t refused = 0;
  for (const size_t line : {size_t{0}, size_t{1}, lines.size() - 2, lines.size() - 1}) {
    for_each_damage(lines[line], [&](const Json& damaged, const std::string& place, const std::string& value) {
      SCOPED_TRACE("line " + std::to_string(line + 1) + " " + place + " " + value);
      std::vector<Json> all = lines;
      all[line] = damaged;
      write(path_, text_of(all));
      const std::string message = use_log(path_);
      if (message.empty()) return;
      ++refused;
      expect_clear(message);
      if (message.find("is damaged") == std::string::npos) return;  // read, and of no use to a replay
      EXPECT_NE(message.find("log " + path_ + ": line " + std::to_string(line + 1) + " is damaged: "), std::string::npos)
          << message;
      EXPECT_NE(message.find(line == 0 ? "name another log" : "delete this line"), std::string::npos) << message;
    });
  }
  EXPECT_GT(refused, 300u);
}

TEST_F(DamagedLog, ACostOfAlmostNothingHasAPictureOfFewLines) {
  Trial trial = read_trial_log(kSweep).trials.at(0);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double cost : {1e-9, 1e-12, 1e-320, 0.0, -1.0, 1e300, infinity, -infinity, std::nan(""), 0.05, 0.2, 0.4, 0.9}) {
    std::vector<Trial> trials(3, trial);
    trials[1].cost = cost;
    const std::string picture = search_picture(trials);
    EXPECT_LT(picture.size(), 20'000u) << cost;
    for (const char* wrong : {"nan", "inf", "e+"}) EXPECT_EQ(picture.find(wrong), std::string::npos) << cost << picture;
    size_t lines = 0;
    for (size_t at = picture.find("<line"); at != std::string::npos; at = picture.find("<line", at + 1)) ++lines;
    EXPECT_GE(lines, 3u) << cost;
    EXPECT_LE(lines, 14u) << cost;
  }
}

TEST_F(DamagedLog, DeepAndLongLinesAreRefusedInShortOnes) {
  const std::vector<Json> lines = sample_log(2);
  for (const std::string& line :
       {std::string(1'000'000, '['), std::string(1'000'000, '{'), "\"" + std::string(1'000'000, 'x') + "\"",
        std::string(100'000, '[') + std::string(100'000, ']'), std::string("1e999"), std::string("NaN"), std::string(""),
        std::string("{\"type\":\"trial\",\"kernel\":1e999}"), std::string("{\"type\":\"\xff\"}"),
        "{\"type\":\"trial\",\"kernel\":\"" + std::string(100'000, 'k') + "\",\"isa\":7}"}) {
    write(path_, lines[0].dump() + "\n" + line + "\n" + lines[1].dump() + "\n");
    const std::string message = use_log(path_);
    expect_clear(message);
    EXPECT_NE(message.find("line 2 is damaged"), std::string::npos) << message;
  }
}

TEST_F(DamagedLog, ACompressedOneThatIsCutOffIsNotTakenForWhole) {
  const std::string whole = read_file(kSweep), path = folder_.file("sweep.jsonl.gz");
  for (const size_t size : {whole.size() - 1, whole.size() - 8, whole.size() - 9, whole.size() / 2, size_t{20}}) {
    write(path, whole.substr(0, size));
    const std::string message = use_log(path);
    EXPECT_NE(message.find("cut off"), std::string::npos) << size << message;
  }
}

// Bytes changed, removed, doubled and moved at random. The seed is printed: LOOKUPFFN_TEST_SEED repeats a run.
void mutate_logs(const std::string& path, size_t rounds) {
  const char* chosen = std::getenv("LOOKUPFFN_TEST_SEED");
  const uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : std::random_device()();
  std::printf("LOOKUPFFN_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const std::string whole = text_of(sample_log(8));
  const char* const pieces[] = {"1e999", "-1", "null",   "{",    "}", "[",    "]",     "\"",
                                ",",     "\n", "1e-300", "\xff", "0", "true", "1e300", "\\u0000"};
  for (size_t round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    std::string text = whole;
    for (size_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = random() % text.size(), length = std::min<size_t>(1 + random() % 12, text.size() - at);
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, std::min(length, text.size() - 1));
          break;
        case 2:
          text.insert(random() % text.size(), text.substr(at, length));
          break;
        default:
          text.replace(at, length, pieces[random() % (sizeof pieces / sizeof *pieces)]);
      }
    }
    write(path, text);
    const auto start = std::chrono::steady_clock::now();
    expect_clear(use_log(path));
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 10.0);
  }
}

TEST_F(DamagedLog, AtRandom) { mutate_logs(path_, 400); }

class DamagedLogSlow : public DamagedLog {};
TEST_F(DamagedLogSlow, AtRandomForLong) { mutate_logs(path_, 20'000); }

std::string a_record() {
  const std::string tuned = std::string(LOOKUPFFN_SCHEDULES) + "/tuned/avx512/";
  for (const auto& entry : std::filesystem::directory_iterator(tuned)) {
    if (entry.path().extension() == ".json") return entry.path().string();
  }
  return "";
}

TEST(DamagedRecord, EveryWrongValueIsReadOrNamedInOneLine) {
  const std::string from = a_record();
  ASSERT_NE(from, "");
  const ScratchFolder folder;
  const std::string path = folder.file(std::filesystem::path(from).filename().string());
  const Json whole = Json::parse(read_file(from));
  const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(whole.at("kernel").get<std::string>());
  size_t refused = 0;
  for_each_damage(whole, [&](const Json& damaged, const std::string& place, const std::string& value) {
    SCOPED_TRACE(place + " " + value);
    write(path, damaged.dump());
    try {
      const ScheduleRecord record = load_record(path);
      const std::string fault = record_fault(record, path, space);
      EXPECT_EQ(fault.find('\n'), std::string::npos) << fault;
      for (const double number : {record.gain, record.gain_low, record.gain_high})
        EXPECT_TRUE(number >= 0 && number <= 1e12) << number;
      EXPECT_GE(record.threads, 0);
      EXPECT_GE(record.tokens, 0);
    } catch (const std::runtime_error& error) {
      ++refused;
      const std::string message = error.what();
      expect_clear(message);
      EXPECT_NE(message.find(path), std::string::npos) << message;
    }
  });
  EXPECT_GT(refused, 200u);
}

// `schedules` lists what is wrong with each file and goes on.
TEST(DamagedRecord, IsListedWithWhatIsWrong) {
  const ScratchFolder folder;
  const std::string tuned = folder.file("tuned/avx512");
  std::filesystem::create_directories(tuned);
  Json record = Json::parse(read_file(a_record()));
  record["threads"] = -1;
  write(tuned + "/a.json", record.dump());
  record["threads"] = 1;
  record["gain"]["median"] = nullptr;
  write(tuned + "/b.json", record.dump());
  write(tuned + "/c.json", "{\"schema\":1e999}");
  write(tuned + "/d.json", "{\"schema\":1.5}");
  const ProcessResult result = run_tool({"schedules", "--schedules", folder.path(), "--isa", "avx512", "--json"});
  ASSERT_TRUE(result.ok()) << result.err;
  const Json list = Json::parse(result.out);
  for (const auto& [i, words] :
       std::vector<std::pair<size_t, std::string>>{{0, "'threads' is -1; it must be a whole number from 0"},
                                                   {1, "'median' is null"},
                                                   {2, "too large"},
                                                   {3, "'schema' is 1.5"}}) {
    const std::string reason = list.at(i).at("reason").get<std::string>();
    EXPECT_NE(reason.find(words), std::string::npos) << reason;
    expect_clear(reason);
  }
}

TEST(DamagedManifest, IsNoKernelLibraryAndIsNotReplaced) {
  for (const char* text :
       {"", "[]", "null", "1e999", "{\"lookupffn_kernel_library\":1}", "{\"lookupffn_kernel_library\":1,\"name\":7}",
        "{\"lookupffn_kernel_library\":\"1\",\"name\":\"k\"}", "\xff"}) {
    const ScratchFolder folder;
    write(folder.file("manifest.json"), text);
    expect_one_line(run_tool({"build", "--shape", "d_in=16 tables=2 bits=2 projection=dense", "--isa", "sse41", "--out",
                              folder.path(), "--generator", LOOKUPFFN_GENERATOR_PROGRAM}),
                    {folder.path()});
    EXPECT_EQ(read_file(folder.file("manifest.json")), text);
  }
}

}  // namespace
}  // namespace lookupffn
