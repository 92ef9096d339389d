// Hardware counters: those of a source that the test makes up, and software's of this system.
#include "measure/hardware_counters.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <set>
#include <string>

#include "measure/result_line.h"
#include "trial/measure_call.h"

namespace lookupffn {
namespace {

class MadeUp : public CounterSource {
 public:
  std::map<std::string, int> errors;  // of open, by event
  std::set<int> unreadable;
  std::set<int> open_handles;
  double ticks = 0;
  int open(const CounterEvent& event) override {
    if (errors.count(event.name)) return -errors[event.name];
    open_handles.insert(int(event.config));
    return int(event.config);
  }
  bool read(int handle, double* count) override {
    if (unreadable.count(handle)) return false;
    *count = ticks * handle;
    return true;
  }
  void close(int handle) override { open_handles.erase(handle); }
};

const std::vector<CounterEvent> kEvents = {{"cycles", 0, 1}, {"instructions", 0, 2}, {"l2_misses", 4, 3}};

TEST(HardwareCounters, CountDuringTheWorkAlone) {
  MadeUp source;
  source.ticks = 100;
  {
    HardwareCounters counters(source, kEvents);
    EXPECT_EQ(counters.missing(), "");
    const std::map<std::string, double> counts = counters.count([&] { source.ticks = 107; });
    EXPECT_EQ(counts, (std::map<std::string, double>{{"cycles", 7}, {"instructions", 14}, {"l2_misses", 21}}));
    EXPECT_EQ(source.open_handles.size(), 3u);
  }
  EXPECT_TRUE(source.open_handles.empty());
}

TEST(HardwareCounters, LeaveOutWhatCannotBeHad) {
  MadeUp source;
  source.errors = {{"l2_misses", ENOENT}};
  source.unreadable = {2};
  HardwareCounters counters(source, kEvents);
  EXPECT_EQ(counters.missing(), "") << "cycles are there";
  EXPECT_EQ(counters.count([&] { source.ticks = 5; }), (std::map<std::string, double>{{"cycles", 5}}));
}

TEST(HardwareCounters, SayWhyThereAreNoneAndWhatHelps) {
  std::set<std::string> messages;
  for (const auto& [error, word] : std::map<int, std::string>{{ENOENT, "virtual"},
                                                              {EACCES, "perf_event_paranoid"},
                                                              {ENOSYS, "CONFIG_PERF_EVENTS"},
                                                              {EMFILE, "ulimit"},
                                                              {EBUSY, "another program"},
                                                              {EINVAL, "perf_event_open"}}) {
    MadeUp source;
    source.errors = {{"cycles", error}, {"instructions", error}, {"l2_misses", error}};
    HardwareCounters counters(source, kEvents);
    EXPECT_NE(counters.missing().find(word), std::string::npos) << counters.missing();
    EXPECT_EQ(counters.missing().find('\n'), std::string::npos);
    EXPECT_TRUE(counters.count([] {}).empty());
    messages.insert(counters.missing());
  }
  EXPECT_EQ(messages.size(), 6u) << "each fault has a message of its own";
  EXPECT_EQ(counter_fault(EPERM), counter_fault(EACCES));
}

TEST(HardwareCounters, TheSystemsPageFaults) {
  HardwareCounters counters(system_counters());
  constexpr size_t kPages = 50, kPage = 4096;
  const auto touch = [&] {
    char* const data =
        static_cast<char*>(mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    madvise(data, kPages * kPage, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < kPages; ++i) *static_cast<volatile char*>(data + i * kPage) = 1;
    munmap(data, kPages * kPage);
  };
  const std::map<std::string, double> counts = counters.count(touch);
  if (!counts.count("page_faults")) GTEST_SKIP() << "this system gives no software events either";
  EXPECT_GE(counts.at("page_faults"), kPages);
}

TEST(HardwareCounters, ComeBackFromTheMeasuringProgram) {
  const std::string body = R"({"status":"ok","ended_early":false,"incumbent":[1,1,1],"candidate":[1,1,1],)";
  Measurement with = parse_measurement(result_line(body + R"("counters":{"cycles":12.5,"l2_misses":3}})"));
  EXPECT_EQ(with.status, Measurement::Status::kOk);
  EXPECT_EQ(with.counters, (std::map<std::string, double>{{"cycles", 12.5}, {"l2_misses", 3}}));
  Measurement without = parse_measurement(result_line(body + R"("no_counters":"no hardware counters: none"})"));
  EXPECT_EQ(without.status, Measurement::Status::kOk);
  EXPECT_TRUE(without.counters.empty());
  EXPECT_EQ(without.no_counters, "no hardware counters: none");
}

}  // namespace
}  // namespace lookupffn
