// What commands write, and over what: nobody's file is lost, and a file that is no file hangs nothing.
#include <algorithm>
#include <fstream>
#include <thread>

#include "tool_in_folder.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/dense_d8_t1_b1";

class Files : public ToolInFolder {
 protected:
  Files() {
    fs::copy_file(kGolden + ".model.safetensors", model_);
    fs::copy_file(kGolden + ".io.safetensors", input_);
    for (const std::string& file : {model_, input_}) chmod(file.c_str(), 0644);
  }

  std::vector<std::string> run_arguments(const std::string& output) const {
    return {"run", model_, "--input", input_, "--output", output};
  }

  std::string work(const std::string& name) const { return folder_.file("work/" + name); }

  static mode_t mode_of(const std::string& path) {
    struct stat status;
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  }

  static void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

  const std::string model_ = folder_.file("model"), input_ = folder_.file("input");
};

TEST_F(Files, RunDoesNotWriteOverItsModelOrInput) {
  fs::create_hard_link(model_, folder_.file("hard"));
  fs::create_symlink("input", folder_.file("soft"));
  const std::string model = read_file(model_), input = read_file(input_);
  expect_failure(tool(run_arguments(model_)), {"--output", "is the model itself"});
  expect_failure(tool(run_arguments(input_)), {"--output", "is the input itself"});
  expect_failure(tool(run_arguments(folder_.file("hard"))), {"is the model itself"});
  expect_failure(tool(run_arguments(folder_.file("soft"))), {"is the input itself"});
  expect_failure(tool(run_arguments("../work/../model")), {"is the model itself"});
  expect_failure(tool(run_arguments("")), {"--output is empty"});
  EXPECT_EQ(read_file(model_), model);
  EXPECT_EQ(read_file(input_), input);
}

TEST_F(Files, RunKeepsTheModeOfAFileAndTheUmaskDecidesThatOfANewOne) {
  for (const mode_t mode : {0600, 0640, 0444, 0666}) {
    write(work("y"), "old");
    chmod(work("y").c_str(), mode);
    ASSERT_TRUE(tool(run_arguments("y")).ok());
    EXPECT_NE(read_file(work("y")), "old");
    EXPECT_EQ(mode_of(work("y")), mode);
    fs::remove(work("y"));
  }
  const mode_t before = umask(027);
  EXPECT_TRUE(tool(run_arguments("y")).ok());
  umask(before);
  EXPECT_EQ(mode_of(work("y")), 0640u);
  EXPECT_EQ(names_in(folder_.file("work")), Names{"y"});
}

TEST_F(Files, WrittenFilesKeepModeOwnerAndSymbolicLink) {
  write(folder_.file("real"), "old");
  chmod(folder_.file("real").c_str(), 0600);
  const bool root = geteuid() == 0;
  if (root) {
    ASSERT_EQ(chown(folder_.file("real").c_str(), 12345, 54321), 0);
  }
  fs::create_symlink("real", folder_.file("link"));
  write_file_atomically(folder_.file("link"), "new");
  EXPECT_TRUE(fs::is_symlink(folder_.file("link")));
  EXPECT_EQ(read_file(folder_.file("real")), "new");
  EXPECT_EQ(mode_of(folder_.file("real")), 0600u);
  struct stat status;
  ASSERT_EQ(stat(folder_.file("real").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, root ? 12345u : geteuid());
  EXPECT_THROW(write_file_atomically("/dev/null", "x"), std::runtime_error);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(Files, BuildKeepsASymbolicLinkAndReplacesItsTarget) {
  fs::create_directories(work("real/kernels"));
  fs::create_directory_symlink("real/kernels", work("link"));
  chmod(work("real/kernels").c_str(), 0750);
  for (const char* name : {"link", "link/"}) {
    const ProcessResult built = tool(build_arguments(name));
    ASSERT_TRUE(built.ok()) << built.err;
    EXPECT_TRUE(fs::is_symlink(work("link")));
    EXPECT_TRUE(fs::is_regular_file(work("real/kernels/libmine.so")));
    EXPECT_EQ(mode_of(work("real/kernels")), 0750u);
  }
  EXPECT_EQ(names_in(work("real")), Names{"kernels"});
  EXPECT_EQ(names_in(folder_.file("work")), (Names{"link", "real"}));
  // As the system reads it, not as the text does: the folder above the link's target.
  ASSERT_TRUE(tool(build_arguments("link/../beside")).ok());
  EXPECT_EQ(names_in(work("real")), (Names{"kernels", "beside"}));
  fs::create_symlink("nowhere", work("dangling"));
  expect_failure(tool(build_arguments("dangling")), {"dangling", "symbolic link to nothing"});
  if (geteuid() == 0) {
    fs::create_directory(work("trap"));
    fs::create_directory_symlink("trap", work("planted"));
    ASSERT_EQ(lchown(work("planted").c_str(), 12345, 12345), 0);
    expect_failure(tool(build_arguments("planted")), {"another user's symbolic link"});
  }
}

TEST_F(Files, BuildRefusesPlacesThatCannotBeReplacedBeforeAnyWork) {
  generator_ = script("generator", ": >'" + folder_.file("worked") + "'\nexit 1\n");
  const struct {
    const char *out, *words;
  } cases[] = {{"", "--out is empty"},
               {"/", "current directory or above"},
               {"..", "current directory or above"},
               {".", "current directory or above"},
               {"../..", "current directory or above"},
               {"./", "current directory or above"},
               {"/proc", "mount point"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.out);
    expect_failure(tool(build_arguments(c.out)), {c.words});
  }
  const ProcessResult mounted = on_disk("size=1m", "exec " + quoted(build_arguments(folder_.file("disk"))));
  if (!could_not_mount(mounted)) expect_failure(mounted, {"mount point", "name a directory in it"});
  const ProcessResult bound =
      on_disk("size=1m", "mkdir there && mount --bind there there && exec " + quoted(build_arguments("there")));
  if (!could_not_mount(bound)) expect_failure(bound, {"mount point"});
  if (geteuid() == 0) {
    fs::create_directories(work("shared/planted"));
    chmod(work("shared").c_str(), 01777);
    ASSERT_EQ(chown(work("shared/planted").c_str(), 12345, 12345), 0);
    expect_failure(tool(build_arguments("shared/planted")), {"belongs to another user"});
  }
  EXPECT_FALSE(fs::exists(folder_.file("worked")));
}

TEST_F(Files, TuneWritesToNoFileThatIsNotItsLog) {
  for (const std::string text : {"notes without a last newline", "a line\nand another", "{\"my\": \"json\"}\n{\"torn\""}) {
    write(work("notes.txt"), text);
    expect_failure(tool(tune_arguments({"--log", "notes.txt", "--resume"})),
                   {"notes.txt", "is no log of lookupffn tune", "--log"});
    EXPECT_EQ(read_file(work("notes.txt")), text);
  }
  expect_failure(tool(tune_arguments({"--log", "/dev/full", "--resume"})), {"/dev/full", "is not a file"});
  ASSERT_EQ(mkfifo(work("pipe").c_str(), 0600), 0);
  expect_failure(tool(tune_arguments({"--log", "pipe", "--resume"})), {"pipe", "is not a file"});
  expect_failure(tool({"tune", "--replay", work("pipe")}), {"pipe", "is not a file"});
  std::vector<std::string> nowhere = tune_arguments();
  nowhere.back() = "";
  expect_failure(tool(nowhere), {"--out is empty"});
}

// The picture's name follows from the log's.
TEST_F(Files, TheTunersPictureReplacesOnlyAPicture) {
  write(work("drawing.svg"), "<svg>years of work</svg>");
  tool(tune_arguments({"--log", "drawing.jsonl"}));
  EXPECT_EQ(read_file(work("drawing.svg")), "<svg>years of work</svg>");
  tool(tune_arguments({"--log", "log.svg"}));
  EXPECT_EQ(read_file(work("log.svg")).front(), '{');
  for (const char* resume : {"--resume", "--resume"}) {
    tool(tune_arguments({"--log", "log.jsonl", resume}));
  }
  write(work("other.svg"), "");
  fs::rename(work("log.jsonl"), work("other.jsonl"));
  tool(tune_arguments({"--log", "other.jsonl", "--resume"}));
  EXPECT_EQ(read_file(work("other.svg")), "");
}

TEST_F(Files, PipesInFoldersHangNothing) {
  fs::create_directories(work("library"));
  ASSERT_EQ(mkfifo(work("library/libpipe.so").c_str(), 0600), 0);
  std::vector<std::string> with_library = run_arguments("y");
  with_library.insert(with_library.end(), {"--library", "library"});
  expect_failure(tool(with_library), {"libpipe.so", "is not a regular file"});

  fs::create_directories(work("schedules/tuned/avx2"));
  ASSERT_EQ(mkfifo(work("schedules/tuned/avx2/gather-x.json").c_str(), 0600), 0);
  EXPECT_EQ(tool({"schedules", "--schedules", "schedules"}).end, ProcessResult::End::kExited);
  std::vector<std::string> with_schedules = build_arguments("out");
  with_schedules.insert(with_schedules.end(), {"--schedules", "schedules"});
  const ProcessResult built = tool(with_schedules);
  EXPECT_TRUE(built.ok()) << built.err;
  ASSERT_EQ(mkfifo(work("schedules/gather.space.json").c_str(), 0600), 0);
  EXPECT_EQ(tool(with_schedules).end, ProcessResult::End::kExited);
  std::vector<std::string> tune = tune_arguments({"--schedules", "schedules"});
  EXPECT_EQ(tool(tune).end, ProcessResult::End::kExited);

  fs::create_directories(work("odd"));
  ASSERT_EQ(mkfifo(work("odd/manifest.json").c_str(), 0600), 0);
  expect_failure(tool(build_arguments("odd")), {"odd", "is no kernel library"});
  expect_failure(tool({"inspect", work("odd/manifest.json")}), {"manifest.json"});
  expect_failure(tool(run_arguments(work("odd/manifest.json"))), {"is not a regular file"});
}

TEST_F(Files, FullAndReadOnlyDisks) {
  const std::string disk = folder_.file("disk");
  const std::string fill = "head -c 70000 /dev/zero >'" + disk + "/filler' 2>/dev/null; ";
  const auto as_it_was = [&](const std::string& line) {
    return "printf old >'" + disk + "/y'; " + fill + line + "; status=$?; rm '" + disk + "/filler'; test \"$(ls -A '" + disk +
           "')\" = y && test \"$(cat '" + disk + "/y')\" = old && exit $status; echo 'the disk was changed'; ls -lA '" + disk +
           "'; exit 0";
  };
  ProcessResult result = on_disk("size=64k", as_it_was(quoted(run_arguments(disk + "/y"))));
  if (could_not_mount(result)) GTEST_SKIP() << "mounting is not for this user";
  EXPECT_EQ(result.out, "");
  expect_failure(result, {disk + "/y", "No space left on device"});
  result = on_disk("size=64k", as_it_was(quoted(build_arguments(disk + "/k"))));
  EXPECT_EQ(result.out.find("the disk was changed"), std::string::npos) << result.out;
  expect_failure(result, {"No space left on device"});
  result = on_disk("size=64k", fill + "exec " + quoted(tune_arguments({"--log", disk + "/log.jsonl"})));
  expect_failure(result, {disk + "/log.jsonl", "No space left on device", "free some space"});

  expect_failure(on_disk("ro", "exec " + quoted(run_arguments(disk + "/y"))), {disk + "/y", "Read-only file system"});
  expect_failure(on_disk("ro", "exec " + quoted(build_arguments(disk + "/k"))), {disk, "Read-only file system", "--out"});
  expect_failure(on_disk("ro", "exec " + quoted(tune_arguments({"--log", disk + "/log.jsonl"}))),
                 {disk + "/log.jsonl", "Read-only file system", "--log"});
}

}  // namespace
}  // namespace lookupffn
