// The list of contenders. Those whose library was not found when this was built are named, not forgotten.
#include "contender.h"

namespace lookupffn::bench {
namespace {

[[maybe_unused]] ContenderKind left_out(const char* name, const char* about, Computes computes, const char* package) {
  ContenderKind kind{};
  kind.name = name;
  kind.about = about;
  kind.computes = computes;
  kind.missing = std::string("not in this build: install ") + package + " and build again";
  return kind;
}

}  // namespace

std::vector<ContenderKind> contender_kinds() {
  return {
      lookupffn_contender(),
#ifdef LOOKUPFFN_BENCH_ONEDNN
      onednn_f32_contender(), onednn_bf16_contender(),
#else
      left_out("onednn_f32", "dense FFN, oneDNN f32", Computes::kDenseFfn, "libdnnl-dev"),
      left_out("onednn_bf16", "dense FFN, oneDNN bf16", Computes::kDenseFfn, "libdnnl-dev"),
#endif
#ifdef LOOKUPFFN_BENCH_OPENMP
      plain_loop_contender(),
#else
      left_out("plain_loop", "whole layer, plain C++", Computes::kLookupFfn, "OpenMP for this compiler (libomp-dev)"),
#endif
#ifdef LOOKUPFFN_BENCH_TORCH
      libtorch_contender(),   embedding_bag_contender(),
#else
      left_out("libtorch", "dense FFN, libtorch f32", Computes::kDenseFfn, "libtorch-dev"),
      left_out("embedding_bag", "gather, libtorch f32", Computes::kLookupFfn, "libtorch-dev"),
#endif
#ifdef LOOKUPFFN_BENCH_OPENBLAS
      openblas_contender(),
#else
      left_out("openblas", "dense FFN, OpenBLAS f32", Computes::kDenseFfn, "libopenblas-dev"),
#endif
#ifdef LOOKUPFFN_BENCH_LIBXSMM
      libxsmm_contender(),
#else
      left_out("libxsmm", "BH4 hash, libxsmm f32", Computes::kLookupFfn, "libxsmm-dev"),
#endif
  };
}

}  // namespace lookupffn::bench
