#include "safetensors_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "failure.h"
#include "safetensors.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

// The failure of the write; LOOKUPFFN_OK where it works.
std::pair<lookupffn_status, std::string> write(const std::string& path, const std::vector<TensorSource>& tensors,
                                               const std::map<std::string, std::string>& metadata = {}) {
  try {
    write_safetensors(path, tensors, metadata);
    return {LOOKUPFFN_OK, ""};
  } catch (const Failure& failure) {
    return {failure.status(), failure.what()};
  }
}

size_t files_in(const std::string& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

class SafetensorsWriter : public testing::Test {
 protected:
  const uint16_t half_[3] = {1, 2, 3};
  const float float_[4] = {0.5f, -1, 2, 3};
  const int32_t int_[2] = {-7, 9};
  const std::vector<TensorSource> tensors_ = {
      {"half", ElementType::kF16, {3}, half_},  // first and of odd size: the others must be aligned all the same
      {"float", ElementType::kF32, {2, 2}, float_},
      {"bfloat", ElementType::kBF16, {1, 3}, half_},
      {"int", ElementType::kI32, {2}, int_},
      {"none", ElementType::kF32, {0, 3}, nullptr},
      {"a \"quoted\" \xc3\xa9\n", ElementType::kF32, {}, float_},
  };
  ScratchFolder folder_;
};

TEST_F(SafetensorsWriter, WhatIsWrittenIsRead) {
  const std::string path = folder_.file("out.safetensors");
  const std::map<std::string, std::string> metadata = {{"decay", "0.7"}, {"note", "two\nlines"}};
  ASSERT_EQ(write(path, tensors_, metadata).second, "");
  EXPECT_EQ(files_in(folder_.path()), 1u);
  const SafetensorsFile file(path);
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.tensors().size(), tensors_.size());
  for (const TensorSource& tensor : tensors_) {
    const TensorView* view = file.find(tensor.name);
    ASSERT_NE(view, nullptr) << tensor.name;
    EXPECT_EQ(view->type, tensor.type);
    EXPECT_EQ(view->shape, tensor.shape);
    if (view->bytes == 0) continue;
    std::vector<uint8_t> bytes(view->bytes);
    read_bytes(*view, 0, bytes.size(), bytes.data());
    EXPECT_EQ(std::memcmp(bytes.data(), tensor.data, view->bytes), 0) << tensor.name;
    const size_t size = view->bytes / view->elements();
    EXPECT_EQ(view->at % size, 0u) << tensor.name;
  }
}

TEST_F(SafetensorsWriter, BytesAreTheFiles) {
  const std::string path = folder_.file("out.safetensors");
  ASSERT_EQ(write(path, tensors_, {{"k", "v"}}).second, "");
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> written((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const std::vector<uint8_t> bytes = safetensors_bytes(tensors_, {{"k", "v"}});
  EXPECT_EQ(std::vector<uint8_t>(written.begin(), written.end()), bytes);
}

TEST_F(SafetensorsWriter, ReplacesAFileWhileItIsOpen) {
  const std::string path = folder_.file("out.safetensors");
  ASSERT_EQ(write(path, {tensors_[1]}).second, "");
  const SafetensorsFile old(path);
  ASSERT_EQ(write(path, {tensors_[3]}).second, "");
  uint8_t bytes[sizeof float_];
  read_bytes(*old.find("float"), 0, sizeof bytes, bytes);
  EXPECT_EQ(std::memcmp(bytes, float_, sizeof float_), 0);
  EXPECT_NE(SafetensorsFile(path).find("int"), nullptr);
}

TEST_F(SafetensorsWriter, ASymbolicLinkStaysOne) {
  fs::create_directory(folder_.file("sub"));
  std::ofstream(folder_.file("sub/real")) << "old";
  fs::create_symlink("sub/real", folder_.file("link"));
  ASSERT_EQ(write(folder_.file("link"), {tensors_[1]}).second, "");
  EXPECT_TRUE(fs::is_symlink(folder_.file("link")));
  EXPECT_NE(SafetensorsFile(folder_.file("sub/real")).find("float"), nullptr);
}

TEST_F(SafetensorsWriter, HonoursTheUmask) {
  const mode_t before = ::umask(027);
  const auto result = write(folder_.file("out"), {tensors_[1]});
  ::umask(before);
  ASSERT_EQ(result.second, "");
  struct stat status;
  ASSERT_EQ(::stat(folder_.file("out").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(SafetensorsWriter, PlacesThatCannotBeWrittenAreIoErrors) {
  const auto missing = write(folder_.file("no/such/out"), tensors_);
  EXPECT_EQ(missing.first, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(missing.second.find(folder_.file("no/such/out") + ": cannot create it: No such file"), std::string::npos)
      << missing.second;
  const auto folder = write(folder_.path(), tensors_);
  EXPECT_EQ(folder.first, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(folder.second.find("is not a regular file"), std::string::npos);
  EXPECT_EQ(write("/dev/null", tensors_).first, LOOKUPFFN_IO_ERROR);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(files_in(folder_.path()), 0u);
}

TEST_F(SafetensorsWriter, AnUnwritableFolderIsAnIoError) {
  if (::geteuid() == 0) GTEST_SKIP() << "root writes anywhere";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  const auto result = write(folder_.file("out"), tensors_);
  ::chmod(folder_.path().c_str(), 0700);
  EXPECT_EQ(result.first, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(result.second.find("Permission denied"), std::string::npos) << result.second;
}

TEST_F(SafetensorsWriter, AWriteThatFailsHalfWayLeavesTheOldFileAndNoOther) {
  const std::string path = folder_.file("out.safetensors");
  ASSERT_EQ(write(path, {tensors_[1]}).second, "");
  const std::vector<float> large(1 << 16);
  // A limit on file sizes fails as a full disk does: some bytes are written, then none.
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto result = write(path, {{"large", ElementType::kF32, {large.size()}, large.data()}});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(result.first, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(result.second.find(path + ": cannot write it: File too large"), std::string::npos) << result.second;
  EXPECT_EQ(files_in(folder_.path()), 1u);
  EXPECT_NE(SafetensorsFile(path).find("float"), nullptr);
}

TEST_F(SafetensorsWriter, ArgumentsThatMakeNoFileAreRefused) {
  const std::string path = folder_.file("out");
  EXPECT_EQ(write(path, {tensors_[0], tensors_[0]}).first, LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(write(path, {{"__metadata__", ElementType::kF32, {1}, float_}}).first, LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(write(path, {{"\xff", ElementType::kF32, {1}, float_}}).first, LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(write(path, {}, {{"k", "\xff"}}).first, LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(write(path, {{"w", ElementType::kOther, {1}, float_}}).first, LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(write(path, {{"w", ElementType::kF32, {SIZE_MAX, 2}, float_}}).first, LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(files_in(folder_.path()), 0u);
}

}  // namespace
}  // namespace lookupffn
