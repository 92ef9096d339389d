#include "contender.h"

namespace lookupffn::bench {

ContenderKind left_out(const std::string& name, const std::string& about, const std::string& package) {
  ContenderKind kind{};
  kind.name = name;
  kind.about = about;
  kind.missing = "not in this build: install " + package + " and build again";
  return kind;
}

std::vector<ContenderKind> dense_contenders() {
  return {
#ifdef LOOKUPFFN_BENCH_ONEDNN
      onednn_f32_contender(),
      onednn_bf16_contender(),
#else
      left_out("onednn_f32", "dense network, oneDNN f32", "libdnnl-dev"),
      left_out("onednn_bf16", "dense network, oneDNN bf16", "libdnnl-dev"),
#endif
#ifdef LOOKUPFFN_BENCH_LIBTORCH
      libtorch_contender(),
#else
      left_out("libtorch", "dense network, eager libtorch f32", "libtorch-dev"),
#endif
#ifdef LOOKUPFFN_BENCH_OPENBLAS
      openblas_contender(),
#else
      left_out("openblas", "dense network, OpenBLAS f32", "libopenblas-dev"),
#endif
  };
}

}  // namespace lookupffn::bench
