// Files that another process cuts off, overwrites or has not finished copying, and what is no file at all.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "child_process.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "scratch_folder.h"

namespace lookupffn::hostile {
namespace {

void write_file(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  ASSERT_TRUE(file.flush());
}

class TruncatedModel : public testing::TestWithParam<ElementType> {
 protected:
  void SetUp() override {
    for (const lookupffn_shape& shape : {reference::bh4_shape(192, 200, 33, 8, 16), reference::dense_shape(100, 40, 12, 6),
                                         reference::bh4_shape(5, 8, 9, 4, 2)}) {
      bytes_.push_back(reference::model_bytes(reference::random_layer(shape, 3), "", GetParam()));
    }
  }

  const ScratchFolder folder_;
  std::vector<std::vector<uint8_t>> bytes_;
};

TEST_P(TruncatedModel, BetweenOpenAndPackIsAnError) {
  const std::string path = folder_.file("model.safetensors");
  for (const std::vector<uint8_t>& bytes : bytes_) {
    for (const lookupffn_type table_type : {LOOKUPFFN_F32, LOOKUPFFN_BF16, LOOKUPFFN_I8, LOOKUPFFN_I4}) {
      for (int eighth = 0; eighth < 8; ++eighth) {
        write_file(path, bytes);
        const Model model(path);
        const size_t left = bytes.size() * size_t(eighth) / 8;
        ASSERT_EQ(::truncate(path.c_str(), off_t(left)), 0);
        lookupffn_pack_options options{};
        options.table_type = table_type;
        lookupffn_layer* layer = reinterpret_cast<lookupffn_layer*>(1);
        EXPECT_EQ(lookupffn_layer_pack(model.get(), "", &options, &layer), LOOKUPFFN_IO_ERROR) << left;
        EXPECT_EQ(layer, nullptr);
        const std::string message = lookupffn_last_message();
        EXPECT_NE(message.find(path + ": was cut off"), std::string::npos) << message;
      }
    }
  }
}

TEST_P(TruncatedModel, OnceWholeAgainItPacks) {
  const std::string path = folder_.file("model.safetensors");
  write_file(path, bytes_[0]);
  const Model model(path);
  ASSERT_EQ(::truncate(path.c_str(), 100), 0);
  EXPECT_THROW(Layer{model}, Error);
  write_file(path, bytes_[0]);
  EXPECT_NO_THROW(Layer{model});
}

TEST_P(TruncatedModel, DeletedOrReplacedByRenameItIsTheOneThatWasOpened) {
  const std::string path = folder_.file("model.safetensors");
  write_file(path, bytes_[0]);
  const Model model(path);
  write_file(path + ".new", bytes_[1]);
  ASSERT_EQ(::rename((path + ".new").c_str(), path.c_str()), 0);
  EXPECT_EQ(Layer(model).shape().d_in, 192u);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_EQ(Layer(model).shape().d_in, 192u);
}

// A file that is cut while it is being opened and packed, at no particular moment.
TEST_P(TruncatedModel, AtAnyMoment) {
  const std::string path = folder_.file("model.safetensors");
  const std::string how = ending_of_child([&] {
    const std::vector<uint8_t>& bytes = bytes_[0];
    write_file(path, bytes);
    const pid_t cutter = ::fork();
    if (cutter == 0) {
      ::alarm(60);
      for (unsigned round = 0;; ++round) {
        if (::truncate(path.c_str(), off_t(bytes.size() * (round % 7) / 7)) != 0) ::_exit(1);
        ::usleep(round % 50);
        std::ofstream(path, std::ios::binary | std::ios::in | std::ios::out)
            .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
        ::usleep(200);
      }
    }
    int wrong = 0;
    for (int round = 0; round < 300; ++round) {
      lookupffn_model* model = nullptr;
      lookupffn_layer* layer = nullptr;
      lookupffn_status status = lookupffn_model_open(path.c_str(), &model);
      if (status == LOOKUPFFN_OK) status = lookupffn_layer_pack(model, "", nullptr, &layer);
      if (status != LOOKUPFFN_OK && status != LOOKUPFFN_IO_ERROR && status != LOOKUPFFN_MALFORMED_MODEL) wrong = 2;
      lookupffn_layer_free(layer);
      lookupffn_model_close(model);
    }
    ::kill(cutter, SIGKILL);
    ::waitpid(cutter, nullptr, 0);
    return wrong;
  });
  EXPECT_EQ(how, "exit 0");
}

INSTANTIATE_TEST_SUITE_P(Types, TruncatedModel, testing::Values(ElementType::kF32, ElementType::kBF16),
                         [](const auto& type) { return type.param == ElementType::kF32 ? "F32" : "BF16"; });

TEST(OpenModel, WithoutDescriptorsIsAnIoError) {
  const std::string path = std::string(LOOKUPFFN_TEST_DATA) + "/golden/dense_d8_t1_b1.model.safetensors";
  EXPECT_EQ(ending_of_child([&] {
              const rlimit none{3, 3};
              if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 2;
              lookupffn_model* model = nullptr;
              return lookupffn_model_open(path.c_str(), &model) == LOOKUPFFN_IO_ERROR ? 0 : 1;
            }),
            "exit 0");
}

class TruncatedModule : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(LOOKUPFFN_TEST_MODULE, std::ios::binary);
    bytes_.assign((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    ASSERT_GT(bytes_.size(), 1000u) << LOOKUPFFN_TEST_MODULE;
  }

  // The status of loading the folder, and the message of a failure.
  std::pair<lookupffn_status, std::string> load() const {
    size_t loaded = 0;
    const lookupffn_status status = lookupffn_load_kernels(folder_.path().c_str(), &loaded);
    return {status, status == LOOKUPFFN_OK ? "" : lookupffn_last_message()};
  }

  const ScratchFolder folder_;
  std::vector<uint8_t> bytes_;
};

TEST_F(TruncatedModule, AtAnyLengthIsAnError) {
  const std::string path = folder_.file("libkernels.so");
  std::vector<size_t> lengths = {0, 1, 3, 4, 16, 63, 64, 65, 100, bytes_.size() - 64, bytes_.size() - 1};
  for (int part = 1; part < 50; ++part) lengths.push_back(bytes_.size() * size_t(part) / 50);
  for (const size_t length : lengths) {
    write_file(path, {bytes_.begin(), bytes_.begin() + ptrdiff_t(length)});
    const std::string how = ending_of_child([&] {
      const auto [status, message] = load();
      return status == LOOKUPFFN_IO_ERROR && message.find(path) != std::string::npos ? 0 : 1;
    });
    EXPECT_EQ(how, "exit 0") << length << " of " << bytes_.size() << " bytes";
  }
  write_file(path, bytes_);
  EXPECT_EQ(load().first, LOOKUPFFN_OK) << load().second;
}

TEST_F(TruncatedModule, OfAnotherArchitectureItIsSaidToBe) {
  std::vector<uint8_t> bytes = bytes_;
  ++bytes[18];  // e_machine
  write_file(folder_.file("libkernels.so"), bytes);
  const auto [status, message] = load();
  EXPECT_EQ(status, LOOKUPFFN_IO_ERROR);
  EXPECT_NE(message.find("for another architecture"), std::string::npos) << message;
}

TEST_F(TruncatedModule, AHeaderThatLiesIsAnError) {
  const std::string path = folder_.file("libkernels.so");
  for (size_t at = 32; at < 64; ++at) {  // offsets, sizes and counts of an ELF header
    std::vector<uint8_t> bytes = bytes_;
    bytes[at] = 0xff;
    write_file(path, bytes);
    const std::string how = ending_of_child([&] {
      const lookupffn_status status = load().first;
      return status == LOOKUPFFN_IO_ERROR || status == LOOKUPFFN_OK || status == LOOKUPFFN_NOT_FOUND ? 0 : 1;
    });
    EXPECT_EQ(how, "exit 0") << "byte " << at;
  }
}

TEST_F(TruncatedModule, ANamedPipeIsRefusedAndNotWaitedFor) {
  const std::string path = folder_.file("libkernels.so");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const std::string how = ending_of_child(
      [&] {
        const auto [status, message] = load();
        return status == LOOKUPFFN_IO_ERROR && message.find(path + ": is not a regular file") != std::string::npos ? 0 : 1;
      },
      10);
  EXPECT_EQ(how, "exit 0");
}

TEST_F(TruncatedModule, AFolderOrADanglingLinkOfThatNameIsAnError) {
  const std::string path = folder_.file("libkernels.so");
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_EQ(load().first, LOOKUPFFN_IO_ERROR);
  ASSERT_EQ(::rmdir(path.c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", path.c_str()), 0);
  EXPECT_EQ(load().first, LOOKUPFFN_IO_ERROR);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::symlink(LOOKUPFFN_TEST_MODULE, path.c_str()), 0);
  EXPECT_EQ(load().first, LOOKUPFFN_OK) << "a link to a module";
}

}  // namespace
}  // namespace lookupffn::hostile
