#include "atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <thread>

#include "content_hash.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

std::string error_of_writing(const std::string& path, const std::string& content = "x") {
  try {
    write_file_atomically(path, content);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

size_t entries(const std::string& directory) {
  return size_t(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

TEST(AtomicFile, WritesAndReplaces) {
  ScratchFolder directory;
  std::string content("a\0b\n", 4);
  content += std::string(1 << 20, 'z');
  write_file_atomically(directory.file("file"), content);
  EXPECT_EQ(read_file(directory.file("file")), content);
  write_file_atomically(directory.file("file"), "");
  EXPECT_EQ(read_file(directory.file("file")), "");
  EXPECT_EQ(entries(directory.path()), 1u);
}

TEST(AtomicFile, MissingDirectory) {
  ScratchFolder directory;
  const std::string error = error_of_writing(directory.file("absent/file"));
  EXPECT_NE(error.find("absent/file': No such file or directory"), std::string::npos) << error;
}

TEST(AtomicFile, TargetIsADirectory) {
  ScratchFolder directory;
  fs::create_directory(directory.file("file"));
  EXPECT_NE(error_of_writing(directory.file("file")).find("directory"), std::string::npos);
  EXPECT_EQ(entries(directory.path()), 1u) << "the temporary is left";
}

TEST(AtomicFile, UnwritableDirectory) {
  // Root may write everywhere: there, a file system that is read-only for all stands in.
  ScratchFolder directory;
  const bool root = geteuid() == 0;
  const std::string place = root ? "/proc" : directory.path();
  if (!root) chmod(place.c_str(), 0500);
  const std::string error = error_of_writing(place + "/file");
  if (!root) chmod(place.c_str(), 0700);
  EXPECT_NE(error.find("cannot write '" + place + "/file'"), std::string::npos) << error;
}

TEST(AtomicFile, FailureLeavesTheOldFile) {
  ScratchFolder directory;
  write_file_atomically(directory.file("file"), "old");
  // A limit on file sizes fails the write half way, as a full disk would. In a child: it cannot be undone.
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error = error_of_writing(directory.file("file"), std::string(5000, 'x'));
    _exit(error.find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(directory.file("file")), "old");
  EXPECT_EQ(entries(directory.path()), 1u) << "the temporary is left";
}

TEST(AtomicFile, ReadersSeeTheOldFileOrTheNewOne) {
  ScratchFolder directory;
  const std::string a(100000, 'a'), b(50000, 'b');
  write_file_atomically(directory.file("file"), a);
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) write_file_atomically(directory.file("file"), i % 2 ? a : b);
  });
  for (int i = 0; i < 500; ++i) {
    const std::string seen = read_file(directory.file("file"));
    EXPECT_TRUE(seen == a || seen == b);
  }
  writer.join();
}

TEST(AtomicFile, ReadingFails) {
  ScratchFolder directory;
  EXPECT_THROW(read_file(directory.file("absent")), std::runtime_error);
  EXPECT_THROW(read_file(directory.path()), std::runtime_error);
}

TEST(ContentHash, KnownValues) {
  EXPECT_EQ(content_hash(""), "cbf29ce484222325");
  EXPECT_EQ(content_hash("foobar"), "85944171f73967e8");
}

}  // namespace
}  // namespace lookupffn
