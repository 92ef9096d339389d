// Makes executables of the measuring program: the incumbent's and the candidate's kernel, linked statically.
#ifndef LOOKUPFFN_CANDIDATE_BUILD_H
#define LOOKUPFFN_CANDIDATE_BUILD_H

#include <atomic>
#include <string>
#include <vector>

#include "installation.h"
#include "kernel_spec.h"
#include "owned_directory.h"
#include "schedule.h"

namespace lookupffn {

// What is needed to build candidates.
struct TuneTools {
  std::string generator;        // the Halide generator program
  std::string measure_archive;  // liblookupffn_measure.a
  std::string runtime_archive;  // liblookupffn.a
  std::string c_compiler = "cc", linker = "c++";
  std::string compiler_package = "g++";  // of Debian, that both are in
  // What to do where an archive is not there.
  std::string missing_archive = std::string("build lookupffn where Halide is installed (") + kInstallHalide + ")";

  // Throws std::runtime_error, one line, naming the first of them that is not there and how to get it.
  void check() const;
};

// A kernel that was generated.
struct BuiltKernel {
  bool ok = false;
  bool timed_out = false;
  std::string error;  // one line where not ok
  KernelSpec spec;
  Schedule schedule;
  std::string function, object;
  double seconds = 0;
};

struct BuiltPair {
  bool ok = false;
  std::string error;
  std::string executable;
  double seconds = 0;
};

// Builds in a directory of its own, which is removed at the end. Its functions may be called from several
// threads at once.
class CandidateBuild {
 public:
  // Throws std::runtime_error where no temporary directory can be made.
  explicit CandidateBuild(const TuneTools& tools);
  const OwnedDirectory& temporary() const { return temporary_; }  // everything that it and its programs write is in there
  CandidateBuild(const CandidateBuild&) = delete;
  CandidateBuild& operator=(const CandidateBuild&) = delete;

  BuiltKernel generate(const KernelSpec& spec, const Schedule& schedule, double time_limit);

  // Both may be the same kernel. `companions` are kernels that layers need beside either. The
  // executable is the caller's to remove (discard).
  BuiltPair link(const BuiltKernel& incumbent, const BuiltKernel& candidate, const std::vector<BuiltKernel>& companions,
                 double time_limit);

  // Throws std::runtime_error where the directory is gone or its disk full: then a failed build says nothing about
  // its candidate.
  void check_directory() const;

  // Throws std::runtime_error where programs may not be run from the directory.
  void check_executable() const;

  void discard(const BuiltKernel& kernel) const;
  void discard(const BuiltPair& pair) const;

 private:
  std::string next_name(const char* what);

  TuneTools tools_;
  OwnedDirectory temporary_;
  std::string directory_;  // temporary_'s path
  std::atomic<unsigned> next_{0};
};

}  // namespace lookupffn
#endif
