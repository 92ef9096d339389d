// Names that are not UTF-8 or very long, and output that cannot be written.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "atomic_file.h"
#include "json_fields.h"
#include "lookupffn/lookupffn.hpp"
#include "run_tool.h"
#include "safetensors.h"
#include "scratch_folder.h"
#include "status.h"
#include "trial/trial_log.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/dense_d100_t5_b10";
const std::string kModel = kGolden + ".model.safetensors", kIo = kGolden + ".io.safetensors";
const std::string kNotUtf8 = "m\xff\xc3(\xe2\x82.";

nlohmann::json json_of(const ProcessResult& result) {
  EXPECT_TRUE(result.ok()) << result.what_happened() << ": " << result.err;
  EXPECT_TRUE(is_utf8(result.out)) << result.out;
  return nlohmann::json::parse(result.out, nullptr, false);
}

TEST(NamesNotUtf8, ModelsAreInspectedVerifiedAndRun) {
  const ScratchFolder folder;
  const std::string model = folder.file(kNotUtf8 + "safetensors"), io = folder.file(kNotUtf8 + "io"),
                    y = folder.file(kNotUtf8 + "y");
  fs::copy_file(kModel, model);
  fs::copy_file(kIo, io);
  EXPECT_TRUE(run_tool({"inspect", model}).ok());
  EXPECT_TRUE(run_tool({"verify", model, io}).ok());
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"inspect", model, "--packed", "--json"}, {"verify", model, io, "--json"}}) {
    const nlohmann::json json = json_of(run_tool(arguments));
    ASSERT_TRUE(json.is_object());
    EXPECT_NE(json.at("model").get<std::string>().find("m\xef\xbf\xbd"), std::string::npos) << json.at("model");
  }
  EXPECT_TRUE(run_tool({"run", model, "--input", io, "--output", y}).ok());
  EXPECT_TRUE(fs::exists(y));
  // In messages the bytes are as they are: whoever reads them must find the file.
  const ProcessResult missing = run_tool({"inspect", model + "x", "--json"});
  expect_one_line(missing, {model + "x", "No such file"});
}

TEST(NamesNotUtf8, AModelIsBuiltForAndItsManifestIsUtf8) {
  const ScratchFolder folder;
  const std::string model = folder.file(kNotUtf8 + "safetensors"), out = folder.file("kernels\xff");
  fs::copy_file(kModel, model);
  const ProcessResult result =
      run_tool({"build", model, "--isa", "sse41", "--out", out, "--generator", LOOKUPFFN_GENERATOR_PROGRAM});
  ASSERT_TRUE(result.ok()) << result.err;
  const std::string manifest = read_file(out + "/manifest.json");
  EXPECT_TRUE(is_utf8(manifest));
  EXPECT_NE(parse_json(manifest).at("made_for").get<std::string>().find("\xef\xbf\xbd"), std::string::npos);
  // It counts as a kernel library: it can be replaced.
  EXPECT_TRUE(run_tool({"build", model, "--isa", "sse41", "--out", out, "--generator", LOOKUPFFN_GENERATOR_PROGRAM}).ok());
}

TEST(NamesNotUtf8, ASchedulesFolderIsListed) {
  const ScratchFolder folder;
  const std::string schedules = folder.file("s\xff");
  fs::create_directories(schedules + "/tuned/avx2");
  std::ofstream(schedules + "/tuned/avx2/gather\xff.json") << "{\"schema\": 1, \"kernel\": \"\xff\"}";
  const nlohmann::json list = json_of(run_tool({"schedules", "--schedules", schedules, "--json"}));
  ASSERT_TRUE(list.is_array());
  ASSERT_FALSE(list.empty());
  EXPECT_FALSE(list[0].at("matches").get<bool>());
  EXPECT_TRUE(run_tool({"schedules", "--schedules", schedules}).ok());
}

// What the log says of itself is read back with the bytes replaced: still the same run.
TEST(NamesNotUtf8, ALogIsContinued) {
  const ScratchFolder folder;
  const std::string path = folder.file("\xff.jsonl");
  const nlohmann::json header = {
      {"type", "header"}, {"subject", "\xff"}, {"identity", {{"machine", "behind --runner \xff/run"}}}};
  { TrialLog log(path, header, false); }
  EXPECT_NO_THROW(TrialLog(path, header, true));
}

TEST(FullOutput, EndsEveryCommandWithAFailureAndALine) {
  const ScratchFolder folder;
  const std::string full = "exec \"$@\" >/dev/full", closed = "exec \"$@\" >&-";
  const std::string sweep = std::string(LOOKUPFFN_TEST_DATA) + "/../../schedules/sweeps/gather_avx512_small.jsonl.gz";
  const std::vector<std::string> commands[] = {
      {"--help"},
      {"--version"},
      {"isas"},
      {"isas", "--json"},
      {"inspect", kModel},
      {"inspect", kModel, "--json"},
      {"inspect", kModel, "--packed"},
      {"verify", kModel, kIo},
      {"verify", kModel, kIo, "--json"},
      {"run", kModel, "--input", kIo, "--output", folder.file("y")},
      {"build", "--shape", "d_in=16 d_out=16 tables=2 bits=2 projection=dense", "--isa", "sse41", "--out", folder.file("k"),
       "--generator", LOOKUPFFN_GENERATOR_PROGRAM},
      {"build", "--help"},
      {"schedules", "--no-code"},  // else it tells how far it is with generating kernels
      {"schedules", "--no-code", "--json"},
      {"tune", "--help"},
      {"tune", "--replay", sweep, "--runs", "1", "--strategy", "random"},
  };
  for (const std::vector<std::string>& command : commands) {
    SCOPED_TRACE(command[0] + " " + command.back());
    expect_one_line(run_tool(command, full), {"standard output", std::strerror(ENOSPC)});
  }
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"isas"}, {"--version"}, {"inspect", kModel, "--json"}}) {
    expect_one_line(run_tool(command, closed), {"standard output", std::strerror(EBADF)});
  }
}

// A file that is opened while standard output is closed must not get what is printed.
TEST(FullOutput, WhatIsPrintedToAClosedOutputGoesNowhere) {
  const ScratchFolder folder;
  const std::string y = folder.file("y");
  EXPECT_NE(run_tool({"run", kModel, "--input", kIo, "--output", y}, "exec \"$@\" <&- >&- 2>&-").exit_status, 0);
  EXPECT_NE(SafetensorsFile(y).find("y"), nullptr);
}

// A path of 4,000 bytes in names of 200, of characters of `character`, the first after `shift` letters.
std::string long_path(const std::string& character, size_t shift) {
  std::string path = "/nonexistent/" + std::string(shift, 'x');
  while (path.size() < 4000) {
    for (size_t i = 0; i < 200; i += character.size()) path += character;
    path += '/';
  }
  return path + "model.safetensors";
}

TEST(LongNames, MessagesKeepBothEndsAndCutBetweenCharacters) {
  for (const std::string character : {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    for (size_t shift = 0; shift < 8; ++shift) {
      const std::string path = long_path(character, shift);
      lookupffn_model* model = nullptr;
      ASSERT_EQ(lookupffn_model_open(path.c_str(), &model), LOOKUPFFN_IO_ERROR);
      const std::string message = lookupffn_last_message();
      EXPECT_LE(message.size(), 1023u);
      EXPECT_GT(message.size(), 1000u);
      EXPECT_TRUE(is_utf8(message)) << message;
      EXPECT_EQ(message.compare(0, 12, "/nonexistent"), 0) << message;
      EXPECT_NE(message.find("..."), std::string::npos) << message;
      const std::string end = std::string("model.safetensors: cannot open: ") + std::strerror(ENOENT);
      ASSERT_GT(message.size(), end.size());
      EXPECT_EQ(message.substr(message.size() - end.size()), end);
    }
  }
}

TEST(LongNames, AMessageOfAnyLengthAndAnyBytesFits) {
  for (size_t length : {0u, 1u, 62u, 63u, 64u, 65u, 100u, 5000u}) {
    for (const char byte : {'a', '\x80', '\xff'}) {  // 0x80 goes on with a character that never began
      char buffer[65];
      buffer[64] = 'G';
      const std::string message(length, byte);
      shorten_message(message.c_str(), buffer, 64);
      EXPECT_EQ(buffer[64], 'G');
      EXPECT_LT(std::strlen(buffer), 64u);
      if (length < 64) {
        EXPECT_EQ(buffer, message);
      } else {
        EXPECT_GT(std::strlen(buffer), 55u);
      }
    }
  }
}

TEST(DuplicateTensors, AreCalledDuplicates) {
  std::string header =
      R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header + std::string(4, '\0');
  lookupffn_model* model = nullptr;
  ASSERT_EQ(lookupffn_model_open_memory(bytes.data(), bytes.size(), &model), LOOKUPFFN_MALFORMED_MODEL);
  const std::string message = lookupffn_last_message();
  EXPECT_NE(message.find("tensor 'w' is a duplicate"), std::string::npos) << message;
  EXPECT_EQ(message.find("overlap"), std::string::npos) << message;
}

}  // namespace
}  // namespace lookupffn
