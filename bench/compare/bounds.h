// What the machine allows: the roofline for one number of tokens a call, measured in the rounds of the
// contenders.
#ifndef LOOKUPFFN_BENCH_BOUNDS_H
#define LOOKUPFFN_BENCH_BOUNDS_H

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "contender.h"
#include "meter.h"
#include "peak_rate.h"
#include "row_reads.h"
#include "weight_types.h"

namespace lookupffn::bench {

struct Bound {
  double us_per_token = 0;  // 0: not known (no multiply-add loop for this architecture)
  std::string by;           // "row reads, token-major, ...", "multiply-adds, avx512 f32, 157 GFLOP/s", ...
};

class Bounds {
 public:
  Bounds(const Setting& setting, size_t tokens);

  // Makes the loops for a table type's rows: tries all orders once, keeps the fastest of each family.
  void add_rows(lookupffn_type type);
  // Makes the loops for reading `bytes` of weights once a call.
  void add_weights(double bytes);
  std::vector<Meter*> meters();

  // What a part needs. hash_flops run at hash_arithmetic's rate, f32_flops at f32_arithmetic's; `weights` are
  // bytes read once a call, to be announced with add_weights, like rows with add_rows.
  struct Needs {
    double hash_flops = 0, f32_flops = 0;
    std::string hash_arithmetic, f32_arithmetic;  // names of peak_rate.h; "" is the fastest f32
    double weights = 0;
    bool rows = false;
    lookupffn_type row_type = LOOKUPFFN_F32;
  };
  // The larger of computing time and reading time: the two may overlap.
  Bound bound(const Needs& needs) const;

  // One line a measured limit, for people.
  std::vector<std::string> describe() const;

 private:
  struct RowLoop {
    std::unique_ptr<RowReads::Plan> plan;
    std::unique_ptr<Meter> meter;  // us a token
  };
  struct Rows {
    std::unique_ptr<RowReads> reads;
    std::vector<RowLoop> loops;
    const RowLoop& fastest() const;
  };
  struct Weights {
    std::unique_ptr<StreamRead> stream;
    std::unique_ptr<Meter> meter;  // us a call
  };
  double peak(const std::string& arithmetic) const;  // GFLOP/s, 0 where unknown

  const Setting& setting_;
  size_t tokens_;
  std::map<std::string, std::unique_ptr<Meter>> peaks_;
  std::map<lookupffn_type, Rows> rows_;
  std::map<size_t, Weights> weights_;
};

// Bytes of an element, its scale not counted.
inline double bytes_of(lookupffn_type type) { return weight_bytes(weight_type(type), 1); }
inline const char* name_of(lookupffn_type type) { return weight_type(type).name; }

}  // namespace lookupffn::bench
#endif
