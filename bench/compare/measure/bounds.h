// What the machine allows: the roofline for one number of inputs a call, measured in the rounds of the
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

namespace lookupffn::bench {

struct Bound {
  double us_per_token = 0;  // 0: not known (no multiply-add loop for this architecture)
  std::string by;           // "row reads, token-major, ...", "multiply-adds, avx512 f32, 157 GFLOP/s", ...
};

class Bounds {
 public:
  Bounds(const ComparedLayer& layer, const Setting& setting, size_t tokens);

  // What a part needs, for an input.
  struct Needs {
    double hash_flops = 0, f32_flops = 0;         // at hash_arithmetic's rate, and at f32_arithmetic's
    std::string hash_arithmetic, f32_arithmetic;  // names of peak_rate.h; "" is the fastest f32
    double weights = 0;                           // bytes read once a call
    double row_bytes = 0;                         // of all rows that an input picks
    std::vector<size_t> rows;                     // bytes of each that are read, in whole cache lines; a number a set of tables
  };
  // Makes the loops that read what is needed, before anything is sampled: of each size of rows it tries all orders and keeps
  // the fastest few.
  void add(const Needs& needs);
  std::vector<Meter*> meters();

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
    const RowLoop& fastest() const;  // by its median
  };
  struct Weights {
    std::unique_ptr<StreamRead> stream;
    std::unique_ptr<Meter> meter;  // us a call
  };
  void add_rows(size_t row_bytes);
  void add_weights(double bytes);
  double peak(const std::string& arithmetic) const;  // GFLOP/s, 0 where unknown

  const ComparedLayer& layer_;
  const size_t threads_, tokens_;
  std::map<std::string, std::unique_ptr<Meter>> peaks_;
  std::map<size_t, Rows> rows_;  // by the bytes of a row
  std::map<size_t, Weights> weights_;
};

// A row's bytes in whole lines: what is less, its scale or bias for one, is not worth a bound's while.
size_t whole_lines(double bytes);

}  // namespace lookupffn::bench
#endif
