// How fast table rows can be read at all: loops that do nothing but load, in the orders that a gather may
// use.
#ifndef LOOKUPFFN_BENCH_ROW_READS_H
#define LOOKUPFFN_BENCH_ROW_READS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lookupffn::bench {

// Zeroed, touched memory in huge pages where the system offers them.
class HugeBuffer {
 public:
  explicit HugeBuffer(size_t bytes);  // throws std::bad_alloc
  ~HugeBuffer();
  HugeBuffer(const HugeBuffer&) = delete;
  HugeBuffer& operator=(const HugeBuffer&) = delete;
  const char* data() const { return static_cast<const char*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_;
  void* data_;
};

// One way to read the rows of a call's tokens.
struct ReadOrder {
  size_t lookups_a_pass;  // so many rows of every input, then the next ones of every input; 0: all of an input's, then the next
                          // input's
  size_t slice_bytes;     // of each row; the whole call is read once a slice
  size_t rows_ahead;      // software prefetch; 0: none
  bool split_columns;     // threads share the bytes of a row, not the rows

  std::string name() const;  // "input by input, 1024-byte slices, prefetch 2 rows ahead"
};

class RowReads {
 public:
  // `rows` rows of `row_bytes` (a multiple of 64) each, of all tables. picked [ring_inputs, lookups]: which of them each input
  // reads; outlives this.
  RowReads(size_t rows, size_t row_bytes, const uint32_t* picked, size_t lookups, size_t ring_inputs);

  // Orders worth trying for calls of that many inputs on that many threads.
  std::vector<ReadOrder> orders(size_t inputs, size_t threads) const;

  // The rows of one order, listed beforehand so that finding them costs nothing while they are read.
  class Plan {
   public:
    const ReadOrder& order() const { return order_; }
    // Seconds an input: `calls` calls of fresh inputs each, going round the ring, all threads started
    // together.
    double sample(size_t calls);

   private:
    friend class RowReads;
    const RowReads* reads_;
    ReadOrder order_;
    size_t inputs_, threads_, next_window_ = 0, windows_;
    std::vector<uint32_t> rows_;  // [windows, inputs * lookups]
  };
  Plan plan(const ReadOrder& order, size_t inputs, size_t threads) const;

 private:
  size_t row_bytes_;
  const uint32_t* picked_;
  size_t lookups_, ring_inputs_;
  HugeBuffer buffer_;
};

// Seconds to read `bytes` (rounded up to 4 KiB) from first to last once, `threads` threads sharing them; the
// mean of `times` times.
class StreamRead {
 public:
  explicit StreamRead(size_t bytes);
  double sample(size_t threads, size_t times) const;

 private:
  HugeBuffer buffer_;
  std::vector<uint32_t> pieces_;
};

}  // namespace lookupffn::bench
#endif
