// Memory and threads that cannot be had: each call of the C API fails with a status or does without, and works again when
// there is memory.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "failing_calls.h"
#include "load.h"
#include "lookupffn/lookupffn.hpp"
#include "scratch_folder.h"
#include "small_layer.h"

namespace lookupffn::hostile {
namespace {

struct MemoryAgain {
  ~MemoryAgain() {
    fail_allocations(0, 0);
    fail_threads(0, 0);
  }
};

// Runs `call` in children in which its n-th allocation fails, alone or with all that follow, for every n until one succeeds
// with all that it asked for (every so many-th n under an emulator). Each must return LOOKUPFFN_OK or one of `allowed`, and
// LOOKUPFFN_OK afterwards.
void fail_each_allocation(const std::string& name, const std::function<lookupffn_status()>& call,
                          const std::vector<lookupffn_status>& allowed = {LOOKUPFFN_OUT_OF_MEMORY}) {
  SCOPED_TRACE(name);
  constexpr int kPast = 100;  // the call made fewer allocations
  constexpr long kAll = 1L << 40;
  for (const long count : {1L, kAll}) {
    long n = 1;
    for (; n < 5000; n += long(checks::case_step())) {
      const std::string how = ending_of_child(
          [&] {
            fail_allocations(n, count);
            const lookupffn_status status = call();
            const bool past = allocations_made() < n;
            fail_allocations(0, 0);
            if (past) return status == LOOKUPFFN_OK ? kPast : 50 + int(status);
            bool fine = status == LOOKUPFFN_OK;
            for (const lookupffn_status one : allowed) fine = fine || status == one;
            if (!fine) return int(status);
            if (status != LOOKUPFFN_OK && *lookupffn_last_message() == '\0') return 97;
            if (const lookupffn_status again = call()) return 30 + int(again);
            return 0;
          },
          60);
      if (how == "exit " + std::to_string(kPast)) break;
      ASSERT_EQ(how, "exit 0") << "allocation " << n << (count == 1 ? " alone" : " and all that follow")
                               << " (30 + a status: once there is memory again)";
    }
    EXPECT_LT(n, 5000) << "it always makes one more";
  }
}

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/bh4_d128_t10_b6_f16_prefix_decay05";

TEST(AllocationFailure, TheCallsCount) {
  const MemoryAgain again;
  fail_allocations(2, 1);
  void* const first = std::malloc(10);
  void* const second = std::malloc(10);
  void* const third = std::malloc(10);
  fail_allocations(0, 0);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(second, nullptr);
  EXPECT_NE(third, nullptr);
  std::free(first);
  std::free(third);
}

TEST(AllocationFailure, OfCallsWithoutAStatus) {
  fail_each_allocation("lookupffn_default_thread_count",
                       [] { return lookupffn_default_thread_count() > 0 ? LOOKUPFFN_OK : LOOKUPFFN_INTERNAL; });
  fail_each_allocation("lookupffn_threads_count",
                       [] { return lookupffn_threads_count(nullptr) > 0 ? LOOKUPFFN_OK : LOOKUPFFN_INTERNAL; });
  fail_each_allocation("the others", [] {
    const bool right = lookupffn_isa_count() > 0 && *lookupffn_version() && *lookupffn_status_name(LOOKUPFFN_OK) &&
                       lookupffn_last_message() && lookupffn_model_layer_count(nullptr) == 0;
    lookupffn_model_close(nullptr);
    lookupffn_layer_free(nullptr);
    lookupffn_threads_free(nullptr);
    return right ? LOOKUPFFN_OK : LOOKUPFFN_INTERNAL;
  });
}

TEST(AllocationFailure, OfIsas) {
  fail_each_allocation("isas", [] {
    lookupffn_isa_info info;
    const char* name;
    if (const lookupffn_status status = lookupffn_isa_at(0, &info)) return status;
    if (const lookupffn_status status = lookupffn_active_isa(&name)) return status;
    return lookupffn_force_isa(name);
  });
}

TEST(AllocationFailure, OfOpenAndPack) {
  const std::string path = kGolden + ".model.safetensors";
  fail_each_allocation("open and pack", [&] {
    lookupffn_model* model = nullptr;
    lookupffn_layer* layer = nullptr;
    lookupffn_status status = lookupffn_model_open(path.c_str(), &model);
    if (status == LOOKUPFFN_OK) status = lookupffn_layer_pack(model, "", nullptr, &layer);
    lookupffn_layer_info info;
    if (status == LOOKUPFFN_OK) status = lookupffn_layer_describe(layer, &info);
    lookupffn_layer_free(layer);
    lookupffn_model_close(model);
    return status;
  });
}

TEST(AllocationFailure, OfFailures) {
  fail_each_allocation("a message of what went wrong", [] {
    lookupffn_model* model = nullptr;
    const lookupffn_status status = lookupffn_model_open("no such file", &model);
    return status == LOOKUPFFN_IO_ERROR ? LOOKUPFFN_OK : status;
  });
}

TEST(AllocationFailure, OfForwards) {
  const SmallLayer layer;
  std::vector<float> y(layer.expected.size());
  // The case ran on one thread; the packed layer that each child runs has no scratch of its size yet.
  fail_each_allocation("forward, default pool", [&] { return layer.forward(nullptr, y.data()); });
  fail_each_allocation("forward, own pool", [&] {
    lookupffn_threads* threads = nullptr;
    lookupffn_status status = lookupffn_threads_create(3, &threads);
    if (status == LOOKUPFFN_OK) status = layer.forward(threads, y.data());
    lookupffn_threads_free(threads);
    return status;
  });
  std::vector<int32_t> code(layer.tokens * 24);
  std::vector<float> score(layer.tokens * 24);
  fail_each_allocation("hash and gather", [&] {
    const lookupffn_status status =
        lookupffn_hash(layer.layer.get(), nullptr, layer.x.data(), 100, code.data(), score.data(), layer.tokens);
    if (status != LOOKUPFFN_OK) return status;
    return lookupffn_gather(layer.layer.get(), nullptr, code.data(), score.data(), y.data(), 272, layer.tokens);
  });
}

TEST(AllocationFailure, OfModules) {
  const ScratchFolder folder;
  ASSERT_EQ(::symlink(LOOKUPFFN_TEST_MODULE, folder.file("libkernels.so").c_str()), 0);
  // The loader's own failures are reasons why a module cannot be loaded.
  fail_each_allocation("load", [&] { return lookupffn_load_kernels(folder.path().c_str(), nullptr); },
                       {LOOKUPFFN_OUT_OF_MEMORY, LOOKUPFFN_IO_ERROR});
}

// ---- threads

TEST(ThreadFailure, CreateSaysWhatToDo) {
  const MemoryAgain again;
  for (const long first : {1, 2, 3}) {
    fail_threads(first, 100);
    lookupffn_threads* threads = reinterpret_cast<lookupffn_threads*>(1);
    EXPECT_EQ(lookupffn_threads_create(4, &threads), LOOKUPFFN_OUT_OF_MEMORY);
    EXPECT_EQ(threads, nullptr);
    const std::string message = lookupffn_last_message();
    EXPECT_NE(message.find("of 4 threads the system starts only " + std::to_string(first)), std::string::npos) << message;
    EXPECT_NE(message.find("ulimit -u"), std::string::npos) << message;
  }
}

TEST(ThreadFailure, TheDefaultPoolDoesWithFewer) {
  const SmallLayer layer;
  EXPECT_EQ(ending_of_child([&] {
              fail_threads(1, 1000);
              const lookupffn_status status = layer.forward(nullptr);
              if (status != LOOKUPFFN_OK) return int(status);
              return lookupffn_threads_count(nullptr) == 1 ? 0 : 50;
            }),
            "exit 0");
}

TEST(ThreadFailure, ASmallStackWithoutThreadsIsOutOfMemory) {
  const SmallLayer layer;
  const std::string how = ending_of_child([&] {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size_t(256) << 10);
    pthread_t thread;
    struct Call {
      const SmallLayer& layer;
      lookupffn_status status;
      std::string message;
    } call{layer, LOOKUPFFN_OK, ""};
    const auto body = [](void* data) -> void* {
      Call& here = *static_cast<Call*>(data);
      fail_threads(1, 1000);
      here.status = here.layer.forward(nullptr);
      here.message = lookupffn_last_message();
      return nullptr;
    };
    if (pthread_create(&thread, &attributes, body, &call) != 0) return 60;
    pthread_join(thread, nullptr);
    if (call.status != LOOKUPFFN_OUT_OF_MEMORY) return int(call.status) + 20;
    return call.message.find("ulimit -s") != std::string::npos ? 0 : 50;
  });
  EXPECT_EQ(how, "exit 0");
}

// ---- the tool: it may give up wherever it is (abort), but does not run into memory that is not there, or hang
TEST(AllocationFailureSlow, OfTheTool) {
  const std::string arguments[] = {"verify '" + kGolden + ".model.safetensors' '" + kGolden + ".io.safetensors'",
                                   "inspect --json '" + kGolden + ".model.safetensors'"};
  for (const std::string& argument : arguments) {
    const ScratchFolder folder;
    const std::string run = std::string("LD_PRELOAD='") + LOOKUPFFN_TEST_FAILING_CALLS + "' timeout 30 '" +
                            LOOKUPFFN_TEST_TOOL + "' " + argument + " 2> /dev/null";
    ASSERT_EQ(std::system((run + " > " + folder.file("whole")).c_str()), 0) << run;
    for (long n = 1; n < 4000; n += 7) {
      const std::string command =
          "ulimit -c 0; export FAIL_ALLOCATION=" + std::to_string(n) + "; " + run + " > " + folder.file("failing");
      const int status = WEXITSTATUS(std::system(command.c_str()));
      EXPECT_TRUE(status == 0 || status == 1 || status == 2 || status == 128 + SIGABRT) << command << "\nexit " << status;
    }
  }
}

}  // namespace
}  // namespace lookupffn::hostile
