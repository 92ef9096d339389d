// An application that unloads the library that it loaded.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "child_process.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn::hostile {
namespace {

// The library's functions as this test gets them: the program itself has a copy of its own.
struct Library {
  void* handle = ::dlopen(LOOKUPFFN_TEST_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);

  template <class Function>
  Function* get(const char* name, Function*) const {
    return reinterpret_cast<Function*>(::dlsym(handle, name));
  }
};
#define FROM(library, function) (library).get(#function, &(function))

// Loads the library, runs a layer on `threads` (0: the default pool, which is left to itself), and unloads it.
int load_run_unload(size_t threads) {
  const Library library;
  if (!library.handle) return 2;
  const std::string path = std::string(LOOKUPFFN_TEST_DATA) + "/golden/bh4_d64_t40_b4.model.safetensors";
  lookupffn_model* model = nullptr;
  lookupffn_layer* layer = nullptr;
  lookupffn_threads* pool = nullptr;
  if (FROM(library, lookupffn_model_open)(path.c_str(), &model) != LOOKUPFFN_OK) return 3;
  if (FROM(library, lookupffn_layer_pack)(model, "", nullptr, &layer) != LOOKUPFFN_OK) return 4;
  if (threads && FROM(library, lookupffn_threads_create)(threads, &pool) != LOOKUPFFN_OK) return 5;
  std::vector<float> x(100 * 64, 1.0f), y(100 * 64);
  if (FROM(library, lookupffn_forward)(layer, pool, x.data(), 64, y.data(), 64, 100, 0) != LOOKUPFFN_OK) return 6;
  FROM(library, lookupffn_layer_free)(layer);
  FROM(library, lookupffn_model_close)(model);
  FROM(library, lookupffn_threads_free)(pool);
  return ::dlclose(library.handle) == 0 ? 0 : 7;
}

TEST(Dlclose, AfterAForwardOnTheDefaultPool) {
  for (int round = 0; round < 20; ++round) {
    const std::string how = ending_of_child([&] {
      const int status = load_run_unload(0);
      ::usleep(20000);  // workers that sleep by now, and those that spin, are still in the library
      return status;
    });
    EXPECT_EQ(how, "exit 0") << "round " << round;
  }
}

TEST(Dlclose, AfterAForwardOnAPoolThatWasFreed) {
  EXPECT_EQ(ending_of_child([] { return load_run_unload(3); }), "exit 0");
}

TEST(Dlclose, AndLoadedAgain) {
  EXPECT_EQ(ending_of_child([] {
              for (int round = 0; round < 10; ++round) {
                if (const int status = load_run_unload(round % 2 ? 3 : 0)) return status;
              }
              return 0;
            }),
            "exit 0");
}

TEST(Dlclose, OfALibraryThatStartedNoThreadUnloadsIt) {
  EXPECT_EQ(ending_of_child([] {
              if (const int status = load_run_unload(1)) return status;
              return ::dlopen(LOOKUPFFN_TEST_SHARED_LIBRARY, RTLD_NOW | RTLD_NOLOAD) == nullptr ? 0 : 8;
            }),
            "exit 0");
}

}  // namespace
}  // namespace lookupffn::hostile
