// Temporary directories: what is a user's, or of a process that lives, stays; what a dead process left goes.
#include "owned_directory.h"
#include "tool_in_folder.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const std::string kPrefix = "lookupffn-tune-";

class TemporaryFolders : public ToolInFolder {
 protected:
  std::string tmp(const std::string& name) const { return folder_.file("tmp/" + name); }

  // What a process that was killed leaves.
  std::string dead_directory() const {
    int report[2];
    EXPECT_EQ(pipe(report), 0);
    const pid_t child = fork();
    if (child == 0) {
      const OwnedDirectory made(folder_.file("tmp"), kPrefix, "");
      write_file_atomically((made.path() / "object.o").string(), "x");
      const std::string path = made.path().string();
      _exit(write(report[1], path.data(), path.size()) > 0 ? 0 : 1);  // runs no destructors
    }
    close(report[1]);
    char path[4096];
    const ssize_t got = read(report[0], path, sizeof path);
    close(report[0]);
    waitpid(child, nullptr, 0);
    return std::string(path, got > 0 ? size_t(got) : 0);
  }

  void next_process() const { const OwnedDirectory made(folder_.file("tmp"), kPrefix, ""); }
};

TEST_F(TemporaryFolders, ATunerLeavesUsersDirectoriesThatLookLikeItsOwn) {
  const Names before = {"lookupffn-tune-2025-11-21", "lookupffn-tune-99999999-AbCdEf", "lookupffn-tune-backup",
                        "lookupffn-tune-"};
  for (const std::string& name : before) {
    fs::create_directory(tmp(name));
    write_file_atomically(tmp(name) + "/thesis.txt", "years of work");
  }
  tool(tune_arguments());
  EXPECT_EQ(names_in(folder_.file("tmp")), before);
  for (const std::string& name : before) EXPECT_EQ(names_in(tmp(name)), Names{"thesis.txt"}) << name;
}

TEST_F(TemporaryFolders, ABuildLeavesUsersDirectoriesThatLookLikeItsOwn) {
  const Names before = {".k.building-2025-backup", ".k.building-99999999", ".k.building-backup"};
  for (const std::string& name : before) {
    fs::create_directory(folder_.file("work/" + name));
    write_file_atomically(folder_.file("work/" + name + "/thesis.txt"), "years of work");
  }
  const ProcessResult built = tool(build_arguments("k"));
  ASSERT_TRUE(built.ok()) << built.err;
  Names after = before;
  after.insert("k");
  EXPECT_EQ(names_in(folder_.file("work")), after);
}

TEST_F(TemporaryFolders, WhatADeadProcessLeftIsRemoved) {
  const std::string dead = dead_directory();
  ASSERT_TRUE(fs::exists(dead + "/object.o"));
  next_process();
  EXPECT_TRUE(fs::is_empty(folder_.file("tmp")));
}

TEST_F(TemporaryFolders, OnlyWhatIsProvenToBeOursAndDeadIsRemoved) {
  const auto stays = [&](const std::string& path, const char* why) {
    next_process();
    EXPECT_TRUE(fs::exists(path + "/object.o")) << why;
    fs::remove_all(path);
  };
  std::string dead = dead_directory();
  fs::remove(dead + "/.lookupffn-owner");
  stays(dead, "no token");

  dead = dead_directory();
  fs::rename(dead, tmp("lookupffn-tune-KeepMe"));
  stays(tmp("lookupffn-tune-KeepMe"), "renamed by its user");

  dead = dead_directory();
  fs::copy(dead, dead + ".copy", fs::copy_options::recursive);
  fs::remove_all(dead);
  fs::rename(dead + ".copy", dead);
  stays(dead, "a copy under the same name");

  dead = dead_directory();
  chmod(dead.c_str(), 0777);
  stays(dead, "others could write to it");

  dead = dead_directory();
  fs::rename(dead, tmp("elsewhere"));
  fs::create_directory_symlink(tmp("elsewhere"), dead);
  stays(dead, "a symbolic link");
  fs::remove_all(tmp("elsewhere"));

  dead = dead_directory();
  fs::rename(dead + "/.lookupffn-owner", tmp("token"));
  fs::create_symlink(tmp("token"), dead + "/.lookupffn-owner");
  stays(dead, "a token that is a symbolic link");

  dead = dead_directory();
  fs::remove(dead + "/.lookupffn-owner");
  ASSERT_EQ(mkfifo((dead + "/.lookupffn-owner").c_str(), 0600), 0);
  stays(dead, "a token that is a pipe");

  if (geteuid() == 0) {
    dead = dead_directory();
    ASSERT_EQ(chown(dead.c_str(), 12345, 12345), 0);
    stays(dead, "another user's");
  }
}

TEST_F(TemporaryFolders, ALivingProcessKeepsItsDirectoryAndNoOtherCanEnterIt) {
  const OwnedDirectory living(folder_.file("tmp"), kPrefix, "");
  const pid_t other = fork();
  if (other == 0) {
    next_process();
    _exit(0);
  }
  waitpid(other, nullptr, 0);
  EXPECT_TRUE(living.is_there());
  struct stat status;
  ASSERT_EQ(stat(living.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_EQ(status.st_uid, geteuid());
}

// Its process id means nothing, or somebody else, out here.
TEST_F(TemporaryFolders, ATunerInAnotherProcessIdNamespaceKeepsItsDirectory) {
  std::vector<std::string> apart = {"unshare", "-p", "-f", "--kill-child"};
  if (geteuid() != 0) apart.insert(apart.begin() + 1, "-r");
  std::vector<std::string> check = apart;
  check.push_back("true");
  if (!run(check).ok()) GTEST_SKIP() << "process id namespaces are not for this user";
  const std::string waiting = script("waiting-generator", "exec sleep 300\n");
  pid_t nobody = 50;
  while (kill(nobody, 0) == 0 || errno != ESRCH) ++nobody;
  apart.insert(
      apart.end(),
      {"sh", "-c", "i=2; while [ $i -lt " + std::to_string(nobody) + " ]; do (:); i=$((i + 1)); done; \"$@\"; exit $?", "sh"});
  std::vector<std::string> arguments = tune_arguments({"--log", folder_.file("first.jsonl")});
  *std::find(arguments.begin(), arguments.end(), generator_) = waiting;
  const pid_t first = start(arguments, apart);
  ASSERT_TRUE(wait_until([&] { return !fs::is_empty(folder_.file("tmp")); }));
  const Names before = names_in(folder_.file("tmp"));
  tool(tune_arguments());
  EXPECT_EQ(names_in(folder_.file("tmp")), before);
  kill(first, SIGKILL);
  waitpid(first, nullptr, 0);
}

// Whoever cleans /tmp while a tuner runs: its candidates are not to blame.
TEST_F(TemporaryFolders, ATunerWhoseDirectoryIsRemovedSaysSoAndLogsNoFailure) {
  const std::string log = folder_.file("tune.jsonl");
  generator_ = script("cleaner", "rm -rf '" + folder_.file("tmp") + "'/lookupffn-tune-*\nexit 1\n");
  const ProcessResult result = tool(tune_arguments({"--log", log}));
  expect_failure(result, {"somebody removed the tuner's folder", "--resume"});
  EXPECT_EQ(read_file(log).find("\"trial\""), std::string::npos) << read_file(log);
}

// Ctrl-C: a compiler that is killed cannot remove its own files.
TEST_F(TemporaryFolders, AnInterruptedBuildLeavesNoFilesOfTheCompiler) {
  const std::string compiler =
      script("slow-cc", ": >\"${TMPDIR:-/tmp}/ccLeft.s\"\n: >'" + folder_.file("started") + "'\nexec sleep 300\n");
  const std::string out = folder_.file("work/out");
  setenv("CC_x86_64_linux_gnu", compiler.c_str(), 1);
  const pid_t child = start(build_arguments(out));
  unsetenv("CC_x86_64_linux_gnu");
  ASSERT_TRUE(wait_until([&] { return fs::exists(folder_.file("started")); }));
  kill(child, SIGINT);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(names_in(folder_.file("tmp")), Names());
  EXPECT_EQ(names_in(folder_.file("work")), Names());
}

TEST_F(TemporaryFolders, AnInterruptedTunerLeavesNoFilesOfTheCompiler) {
  generator_ =
      script("slow-generator", ": >\"${TMPDIR:-/tmp}/ccLeft.s\"\n: >'" + folder_.file("started") + "'\nexec sleep 300\n");
  const pid_t child = start(tune_arguments());
  ASSERT_TRUE(wait_until([&] { return fs::exists(folder_.file("started")); }));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
  EXPECT_EQ(names_in(folder_.file("tmp")), Names());
}

TEST_F(TemporaryFolders, AFolderThatForbidsProgramsIsNamedBeforeAnyTrial) {
  const std::string log = folder_.file("tune.jsonl");
  const ProcessResult result =
      on_disk("noexec", "TMPDIR='" + folder_.file("disk") + "' exec " + quoted(tune_arguments({"--log", log})));
  if (could_not_mount(result)) GTEST_SKIP() << "mounting is not for this user";
  expect_failure(result, {"noexec", folder_.file("disk"), "TMPDIR"});
  EXPECT_EQ(read_file(log).find("\"trial\""), std::string::npos) << read_file(log);
}

TEST_F(TemporaryFolders, PlacesWithoutRoomOrRightsAreNamed) {
  for (const std::string options : {"ro", "size=4k,nr_inodes=2"}) {
    const ProcessResult result =
        on_disk(options, "TMPDIR='" + folder_.file("disk") + "' exec " + quoted(tune_arguments({"--resume"})));
    if (could_not_mount(result)) GTEST_SKIP() << "mounting is not for this user";
    expect_failure(result, {"cannot make a directory in '" + folder_.file("disk") + "'", "TMPDIR"});
  }
  const ProcessResult full =
      on_disk("size=1m", "head -c 1100000 /dev/zero >'" + folder_.file("disk/filler") + "' 2>/dev/null; TMPDIR='" +
                             folder_.file("disk") + "' exec " + quoted(tune_arguments({"--resume"})));
  expect_failure(full, {"No space left on device"});
}

// The name of the directory was known beforehand, so another user could make it first, with a library of
// theirs in it.
TEST_F(TemporaryFolders, ABuildDoesNotUseADirectoryThatWasThere) {
  const std::string compiler =
      script("spy-cc", "case \"$*\" in *-shared*) ls -ld '" + folder_.file("work") + "'/.out.building-* >'" +
                           folder_.file("seen") + "';; esac\nexec cc \"$@\"\n");
  // Names that could be guessed: all process ids of the near future.
  for (int pid = getpid() + 1; pid < getpid() + 300; ++pid) {
    const std::string planted = folder_.file("work/.out.building-" + std::to_string(pid));
    fs::create_directories(planted + "/result");
    write_file_atomically(planted + "/result/libplanted.so", "evil");
    chmod(planted.c_str(), 0777);
  }
  setenv("CC_x86_64_linux_gnu", compiler.c_str(), 1);
  const ProcessResult built = tool(build_arguments(folder_.file("work/out")));
  unsetenv("CC_x86_64_linux_gnu");
  ASSERT_TRUE(built.ok()) << built.err;
  EXPECT_EQ(names_in(folder_.file("work/out")), (Names{"include", "lib", "libmine.a", "libmine.so", "manifest.json"}));
  EXPECT_NE(read_file(folder_.file("seen")).find("drwx------"), std::string::npos) << read_file(folder_.file("seen"));
}

TEST_F(TemporaryFolders, AKernelCacheThatOthersMayWriteToIsNotUsed) {
  const std::string cache = folder_.file("cache");
  fs::create_directory(cache);
  chmod(cache.c_str(), 0777);
  const auto build = [&] {
    std::vector<std::string> argv = {"env", "LOOKUPFFN_KERNEL_CACHE=" + cache, LOOKUPFFN_TEST_TOOL};
    const std::vector<std::string> arguments = build_arguments(folder_.file("work/out"));
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    EXPECT_TRUE(run(argv).ok());
  };
  build();
  EXPECT_EQ(names_in(cache), Names());
  chmod(cache.c_str(), 0700);
  build();
  EXPECT_FALSE(names_in(cache).empty());
}

}  // namespace
}  // namespace lookupffn
