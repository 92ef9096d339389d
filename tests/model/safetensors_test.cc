#include "safetensors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "failure.h"
#include "guarded_bytes.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes file_of(const std::string& header, size_t data_bytes, uint64_t length) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(length >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (size_t i = 0; i < data_bytes; ++i) bytes.push_back(static_cast<uint8_t>(i));
  return bytes;
}

Bytes file_of(const std::string& header, size_t data_bytes) { return file_of(header, data_bytes, header.size()); }

// The message that these bytes are refused with, or "" where they are not.
std::string refusal(const Bytes& bytes) {
  const GuardedBytes guarded(bytes);
  try {
    const SafetensorsFile file(guarded.data(), guarded.size(), "FILE");
    return "";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.status(), LOOKUPFFN_MALFORMED_MODEL);
    EXPECT_EQ(std::string(failure.what()).rfind("FILE: ", 0), 0u) << failure.what();
    EXPECT_EQ(std::string(failure.what()).find('\n'), std::string::npos) << failure.what();
    return failure.what();
  }
}

TEST(Safetensors, ReadsTensorsTypesAndMetadata) {
  const GuardedBytes bytes(file_of(
      R"({"a":{"dtype":"I32","shape":[2,3],"data_offsets":[8,32]},
          "__metadata__":{"k":"v","empty":""},
          "scalar":{"data_offsets":[0,8],"dtype":"F64","shape":[]},
          "none":{"dtype":"BF16","shape":[0,7],"data_offsets":[32,32]},
          "fp4":{"dtype":"F4","shape":[4],"data_offsets":[32,34]},
          "\u00e9":{"dtype":"F16","shape":[1],"data_offsets":[34,36]}}   )",
      36));
  const SafetensorsFile file(bytes.data(), bytes.size(), "FILE");
  ASSERT_EQ(file.tensors().size(), 5u);
  const TensorView* a = file.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->name, "a");
  EXPECT_EQ(a->type, ElementType::kI32);
  EXPECT_EQ(a->shape, (std::vector<size_t>{2, 3}));
  EXPECT_EQ(a->elements(), 6u);
  EXPECT_EQ(a->bytes, 24u);
  EXPECT_EQ(a->data[0], 8);
  EXPECT_EQ(a->data + a->bytes + 4, bytes.data() + bytes.size());
  const TensorView* scalar = file.find("scalar");
  ASSERT_NE(scalar, nullptr);
  EXPECT_EQ(scalar, &file.tensors()[0]);  // the order of the bytes, not of the names
  EXPECT_EQ(scalar->type, ElementType::kOther);
  EXPECT_STREQ(file.type_name(*scalar), "F64");
  EXPECT_EQ(scalar->elements(), 1u);
  EXPECT_EQ(file.find("none")->elements(), 0u);
  EXPECT_NE(file.find("\xc3\xa9"), nullptr);
  EXPECT_EQ(file.find("b"), nullptr);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"k", "v"}, {"empty", ""}}));
}

TEST(Safetensors, ReadsAFileWithNoTensors) {
  EXPECT_EQ(refusal(file_of("{}", 0)), "");
  EXPECT_EQ(refusal(file_of(R"({"__metadata__":{}})", 0)), "");
}

std::string one(const std::string& description) { return "{\"w\":" + description + "}"; }

struct Malformed {
  const char* name;
  Bytes bytes;
  const char* reason;  // part of the message
};

std::vector<Malformed> malformed_files() {
  const std::string f32x2 = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string second = R"("v":{"dtype":"U8","shape":[4],"data_offsets":)";
  return {
      {"empty file", {}, "the file is empty"},
      {"short length", {1, 0, 0}, "shorter than a header's length"},
      {"header over the limit", file_of("{}", 0, 100'000'001), "the limit is 100000000"},
      {"header length all ones", file_of("{}", 0, ~uint64_t{0}), "18446744073709551615"},
      {"header cut off", file_of(one(f32x2), 0, 4096), "is cut off: the file has only"},
      {"header of length 0", file_of("", 8), "the header is empty"},
      {"no brace first", file_of(" " + one(f32x2), 8), "does not begin with '{'"},
      {"JSON ends early", file_of("{\"w\":", 0), "not valid JSON (at its byte 6)"},
      {"JSON with rubbish behind", file_of(one(f32x2) + "x", 8), "not valid JSON (at its byte 55)"},
      {"JSON with a NUL", file_of(one(f32x2) + std::string(1, '\0'), 8), "not valid JSON (a NUL at its byte 55)"},
      {"name not UTF-8", file_of("{\"\xff\":" + f32x2 + "}", 8), "not valid JSON (at its byte 3)"},
      {"name with a NUL", file_of("{\"w\\u0000x\":" + f32x2 + "}", 8), "'w\\x00x' holds a NUL"},
      {"number out of range", file_of(one(R"({"shape":[1e999]})"), 0), "not valid JSON"},
      {"tensor twice", file_of("{\"w\":" + f32x2 + ",\"w\":" + R"({"dtype":"U8","shape":[0],"data_offsets":[8,8]}})", 8),
       "tensor 'w' is a duplicate: the name appears twice"},
      {"tensor is a number", file_of(one("3"), 0), "tensor 'w' is a number, not an object"},
      {"tensor is null", file_of(one("null"), 0), "tensor 'w' is null, not an object"},
      {"tensor is an array", file_of(one("[]"), 0), "tensor 'w' is an array, not an object"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "__metadata__ appears twice"},
      {"metadata no object", file_of(R"({"__metadata__":"x"})", 0), "__metadata__ is a string, not an object"},
      {"metadata not strings", file_of(R"({"__metadata__":{"k":1}})", 0), "__metadata__ 'k' is a number, not a string"},
      {"metadata nested", file_of(R"({"__metadata__":{"k":{}}})", 0), "__metadata__ 'k' is an object, not a string"},
      {"metadata key twice", file_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "has the key 'k' twice"},
      {"no dtype", file_of(one(R"({"shape":[2],"data_offsets":[0,8]})"), 8), "has no 'dtype'"},
      {"no shape", file_of(one(R"({"dtype":"F32","data_offsets":[0,8]})"), 8), "has no 'shape'"},
      {"no offsets", file_of(one(R"({"dtype":"F32","shape":[2]})"), 8), "has no 'data_offsets'"},
      {"key twice", file_of(one(R"({"dtype":"F32","dtype":"F32"})"), 8), "tensor 'w' has the key 'dtype' twice"},
      {"unknown key", file_of(one(R"({"strides":[1]})"), 8), "unknown key 'strides'"},
      {"unknown dtype", file_of(one(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})"), 8), "unknown dtype 'F31'"},
      {"dtype no string", file_of(one(R"({"dtype":1})"), 8), "has a number for its 'dtype'"},
      {"shape no array", file_of(one(R"({"shape":2})"), 8), "has a number in its 'shape'"},
      {"shape with a string", file_of(one(R"({"shape":["2"]})"), 8), "has a string in its 'shape'"},
      {"shape nested", file_of(one(R"({"shape":[[2]]})"), 8), "has an array in its 'shape'"},
      {"negative size", file_of(one(R"({"shape":[-2]})"), 8), "has a negative number in its 'shape'"},
      {"size with a fraction", file_of(one(R"({"shape":[2.5]})"), 8), "not an integer of 64 bits in its 'shape'"},
      {"one offset", file_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"), 8), "are not two numbers"},
      {"three offsets", file_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})"), 8), "are not two numbers"},
      {"negative offset", file_of(one(R"({"data_offsets":[-8,0]})"), 8), "a negative number in its 'data_offsets'"},
      {"offsets reversed", file_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), 8),
       "ends at byte 0 before it begins at byte 8"},
      {"data cut off", file_of(one(f32x2), 7), "tensor 'w' is cut off: it ends at byte 8 of the data, which has 7"},
      {"offsets near 2^64",
       file_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[18446744073709551607,18446744073709551615]})"), 8),
       "ends at byte 18446744073709551615"},
      {"shape too large for its bytes", file_of(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), 8),
       "has 8 bytes, its shape and dtype F32 need 12"},
      {"elements overflow", file_of(one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})"), 0),
       "number of elements overflows"},
      {"bytes overflow", file_of(one(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})"), 0),
       "number of bytes overflows"},
      {"half a byte", file_of(one(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})"), 1), "does not fill whole bytes"},
      {"overlap", file_of("{\"w\":" + f32x2 + "," + second + "[4,8]}}", 8), "tensor 'v' overlaps tensor 'w'"},
      {"the same place twice",
       file_of("{" + second + "[0,4]},\"w\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4), "overlaps tensor"},
      {"hole", file_of("{\"w\":" + f32x2 + "," + second + "[12,16]}}", 16), "bytes 8 to 12 of the data, before tensor 'v'"},
      {"hole at the start", file_of(one(R"({"dtype":"U8","shape":[4],"data_offsets":[4,8]})"), 8), "bytes 0 to 4"},
      {"trailing bytes", file_of(one(f32x2), 11), "3 bytes follow the last tensor"},
  };
}

TEST(Safetensors, EachKindOfMalformedFileHasItsOwnMessage) {
  std::set<std::string> messages;
  for (const Malformed& file : malformed_files()) {
    const std::string message = refusal(file.bytes);
    EXPECT_NE(message.find(file.reason), std::string::npos) << file.name << ": \"" << message << "\"";
    messages.insert(message);
  }
  // Those that differ only in where the JSON breaks, or in which number of offsets is wrong, may share
  // theirs.
  EXPECT_EQ(messages.size(), malformed_files().size() - 1);
}

TEST(Safetensors, DeepNestingIsRefusedAtOnce) {
  const std::string deep(10'000'000, '[');
  EXPECT_NE(refusal(file_of("{\"w\":" + deep, 0)).find("is an array, not an object"), std::string::npos);
  std::string objects = "{\"w\":{\"dtype\":";
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  EXPECT_NE(refusal(file_of(objects, 0)).find("has an object for its 'dtype'"), std::string::npos);
}

TEST(Safetensors, RanksThatNothingCanHoldAreRefused) {
  auto with_rank = [](size_t rank) {
    std::string shape = "1";
    for (size_t i = 1; i < rank; ++i) shape += ",1";
    return file_of("{\"w\":{\"dtype\":\"U8\",\"shape\":[" + shape + "],\"data_offsets\":[0,1]}}", 1);
  };
  EXPECT_EQ(refusal(with_rank(64)), "");
  EXPECT_NE(refusal(with_rank(65)).find("more than 64 dimensions"), std::string::npos);
}

TEST(Safetensors, LongAndUnprintableNamesMakeOneShortLine) {
  const std::string message = refusal(file_of("{\"a\\nb" + std::string(100'000, 'x') + "\":3}", 0));
  EXPECT_LT(message.size(), 250u);
  EXPECT_NE(message.find("'a\\x0ab"), std::string::npos) << message;
}

TEST(Safetensors, EveryTruncationOfAFileIsRefused) {
  const Bytes whole = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}, )"
                              R"("b":{"dtype":"F16","shape":[2,2],"data_offsets":[8,16]}}  )",
                              16);
  EXPECT_EQ(refusal(whole), "");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size))), "") << size;
  }
}

class SafetensorsOnDisk : public testing::Test {
 protected:
  // The failure of opening this path; LOOKUPFFN_OK where it opens.
  static std::pair<lookupffn_status, std::string> open(const std::string& path) {
    try {
      const SafetensorsFile file(path);
      return {LOOKUPFFN_OK, ""};
    } catch (const Failure& failure) {
      EXPECT_NE(std::string(failure.what()).find(path), std::string::npos) << failure.what();
      return {failure.status(), failure.what()};
    }
  }

  ScratchFolder folder_;
};

TEST_F(SafetensorsOnDisk, WhatIsNoReadableFileIsAnIoError) {
  EXPECT_EQ(open(folder_.file("missing")).first, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(open(folder_.file("missing")).second.find("No such file"), std::string::npos);
  EXPECT_EQ(open(folder_.path()).first, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(open(folder_.path()).second.find("not a regular file"), std::string::npos);
  ASSERT_EQ(::mkfifo(folder_.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(open(folder_.file("pipe")).first, LOOKUPFFN_IO_ERROR);  // and does not wait for a writer
  EXPECT_EQ(open("").first, LOOKUPFFN_IO_ERROR);
}

TEST_F(SafetensorsOnDisk, AnEmptyFileIsMalformed) {
  std::ofstream(folder_.file("empty")).flush();
  EXPECT_EQ(open(folder_.file("empty")).first, LOOKUPFFN_MALFORMED_MODEL);
}

TEST_F(SafetensorsOnDisk, OffsetsBeyond4GiBWork) {
  // 5 GiB, nearly all of it a hole in the file that is never read.
  constexpr uint64_t kHole = uint64_t{5} << 30;
  const std::string end = std::to_string(kHole), end4 = std::to_string(kHole + 4);
  const std::string header = "{\"big\":{\"dtype\":\"U8\",\"shape\":[" + end + "],\"data_offsets\":[0," + end +
                             "]},\"w\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" + end + "," + end4 + "]}}";
  const Bytes start = file_of(header, 0);
  const std::string path = folder_.file("big");
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_GE(file, 0);
  ASSERT_EQ(::pwrite(file, start.data(), start.size(), 0), static_cast<ssize_t>(start.size()));
  const off_t at = static_cast<off_t>(start.size() + kHole);
  if (::pwrite(file, "\1\2\3\4", 4, at) != 4) {
    ::close(file);
    GTEST_SKIP() << "the file system of the temporary folder takes no sparse file of 5 GiB";
  }
  ::close(file);
  const SafetensorsFile opened(path);
  EXPECT_EQ(opened.find("big")->bytes, kHole);
  uint8_t last = 0;
  read_bytes(*opened.find("w"), 3, 1, &last);
  EXPECT_EQ(last, 4);
  ASSERT_EQ(::truncate(path.c_str(), at + 3), 0);
  EXPECT_NE(open(path).second.find("tensor 'w' is cut off"), std::string::npos);
}

}  // namespace
}  // namespace lookupffn
