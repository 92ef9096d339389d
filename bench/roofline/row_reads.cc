#include "row_reads.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "parallel_bursts.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lookupffn::bench {
namespace {

struct Reading {
  const char* base;
  size_t stride;         // bytes from one row to the next
  size_t offset, bytes;  // of each row; multiples of 64
  const uint32_t* rows;
  size_t count, ahead;
};

// Each leaf reads count rows and keeps the cheapest thing that cannot be optimised away: an OR of all.
// The prefetch of the last rows repeats the last one rather than look past the list.
inline const char* row_at(const Reading& reading, size_t k) {
  return reading.base + reading.rows[k] * reading.stride + reading.offset;
}

inline void prefetch_ahead(const Reading& reading, size_t k) {
  const char* next = row_at(reading, std::min(k + reading.ahead, reading.count - 1));
  for (size_t b = 0; b < reading.bytes; b += 64) __builtin_prefetch(next + b);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void read_avx512(const Reading& reading) {
  __m512i seen[4] = {};
  for (size_t k = 0; k < reading.count; ++k) {
    if (reading.ahead > 0) prefetch_ahead(reading, k);
    const char* row = row_at(reading, k);
    size_t b = 0;
    for (; b + 256 <= reading.bytes; b += 256) {
      for (int i = 0; i < 4; ++i) seen[i] = _mm512_or_si512(seen[i], _mm512_load_si512(row + b + 64 * i));
    }
    for (; b < reading.bytes; b += 64) seen[0] = _mm512_or_si512(seen[0], _mm512_load_si512(row + b));
  }
  asm volatile("" : : "v"(seen[0]), "v"(seen[1]), "v"(seen[2]), "v"(seen[3]));
}

__attribute__((target("avx2"))) void read_avx2(const Reading& reading) {
  __m256i seen[2] = {};
  for (size_t k = 0; k < reading.count; ++k) {
    if (reading.ahead > 0) prefetch_ahead(reading, k);
    const char* row = row_at(reading, k);
    for (size_t b = 0; b < reading.bytes; b += 64) {
      for (int i = 0; i < 2; ++i) {
        const auto* from = reinterpret_cast<const __m256i*>(row + b + 32 * i);
        seen[i] = _mm256_or_si256(seen[i], _mm256_load_si256(from));
      }
    }
  }
  asm volatile("" : : "x"(seen[0]), "x"(seen[1]));
}
#endif

void read_plain(const Reading& reading) {
  uint64_t seen[8] = {};
  for (size_t k = 0; k < reading.count; ++k) {
    if (reading.ahead > 0) prefetch_ahead(reading, k);
    const char* row = row_at(reading, k);
    for (size_t b = 0; b < reading.bytes; b += 64) {
      uint64_t line[8];
      std::memcpy(line, row + b, sizeof line);
      for (int i = 0; i < 8; ++i) seen[i] |= line[i];
    }
  }
  uint64_t all = 0;
  for (uint64_t part : seen) all |= part;
  asm volatile("" : : "r"(all));
}

using Leaf = void (*)(const Reading&);

Leaf widest_leaf() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return read_avx512;
  if (__builtin_cpu_supports("avx2")) return read_avx2;
#endif
  return read_plain;
}

const Leaf kRead = widest_leaf();

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPiece = 4096;

}  // namespace

HugeBuffer::HugeBuffer(size_t bytes) : bytes_((bytes + kHugePage - 1) / kHugePage * kHugePage) {
  data_ = aligned_alloc(kHugePage, bytes_);
  if (data_ == nullptr) throw std::bad_alloc();
  madvise(data_, bytes_, MADV_HUGEPAGE);  // a refusal costs speed alone
  std::memset(data_, 0, bytes_);
}

HugeBuffer::~HugeBuffer() { free(data_); }

std::string ReadOrder::name() const {
  std::string text = lookups_a_pass == 0 ? "input by input"
                                         : std::to_string(lookups_a_pass) + (lookups_a_pass == 1 ? " lookup" : " lookups") +
                                               " of all inputs a pass";
  text += ", " + std::to_string(slice_bytes) + "-byte slices";
  if (rows_ahead > 0) text += ", prefetch " + std::to_string(rows_ahead) + " rows ahead";
  if (split_columns) text += ", threads share columns";
  return text;
}

RowReads::RowReads(size_t rows, size_t row_bytes, const uint32_t* picked, size_t lookups, size_t ring_inputs)
    : row_bytes_(row_bytes), picked_(picked), lookups_(lookups), ring_inputs_(ring_inputs), buffer_(rows * row_bytes) {}

std::vector<ReadOrder> RowReads::orders(size_t inputs, size_t threads) const {
  std::vector<size_t> passes = {0};
  if (inputs > 1) passes = {0, 1, 2, 4, 8};
  std::vector<size_t> slices = {row_bytes_};
  if (row_bytes_ > 1024) slices.push_back(row_bytes_ / 128 * 64);
  // Rows of a few lines are over soon: what is fetched ahead must be further away.
  std::vector<size_t> aheads = {0, 1, 2, 4, 8};
  if (row_bytes_ <= 1024) aheads.insert(aheads.end(), {16, 32});
  std::vector<ReadOrder> all;
  // An input's rows in many short visits keep more lines on their way at a time than long rows do, on some CPUs.
  for (size_t slice = row_bytes_ / 4; slice >= 256 && slice % 64 == 0; slice /= 2) {
    for (size_t ahead : {0, 2}) all.push_back({0, slice, ahead, false});
  }
  for (size_t pass : passes) {
    if (pass >= lookups_) continue;
    for (size_t slice : slices) {
      for (size_t ahead : aheads) {
        all.push_back({pass, slice, ahead, false});
        if (threads > 1 && slice % (threads * 64) == 0) all.push_back({pass, slice, ahead, true});
      }
    }
  }
  return all;
}

RowReads::Plan RowReads::plan(const ReadOrder& order, size_t inputs, size_t threads) const {
  Plan plan;
  plan.reads_ = this;
  plan.order_ = order;
  plan.inputs_ = inputs;
  plan.threads_ = threads;
  plan.windows_ = ring_inputs_ / inputs;
  const size_t pass = order.lookups_a_pass == 0 ? lookups_ : order.lookups_a_pass;
  plan.rows_.reserve(plan.windows_ * inputs * lookups_);
  for (size_t window = 0; window < plan.windows_; ++window) {
    for (size_t first = 0; first < lookups_; first += pass) {
      for (size_t n = window * inputs; n < (window + 1) * inputs; ++n) {
        for (size_t k = first; k < std::min(first + pass, lookups_); ++k) plan.rows_.push_back(picked_[n * lookups_ + k]);
      }
    }
  }
  return plan;
}

double RowReads::Plan::sample(size_t calls) {
  const size_t count = inputs_ * reads_->lookups_;
  const size_t start = next_window_;
  next_window_ = (next_window_ + calls) % windows_;
  const double seconds = time_bursts(threads_, [&](size_t thread) {
    for (size_t call = 0; call < calls; ++call) {
      const uint32_t* rows = &rows_[(start + call) % windows_ * count];
      for (size_t slice = 0; slice < reads_->row_bytes_; slice += order_.slice_bytes) {
        Reading reading = {reads_->buffer_.data(), reads_->row_bytes_, slice, order_.slice_bytes, rows, count,
                           order_.rows_ahead};
        reading.bytes = std::min(reading.bytes, reads_->row_bytes_ - slice);
        if (order_.split_columns) {
          reading.bytes /= threads_;
          reading.offset += thread * reading.bytes;
        } else {
          const size_t from = count * thread / threads_;
          reading.rows = rows + from;
          reading.count = count * (thread + 1) / threads_ - from;
        }
        if (reading.count > 0) kRead(reading);
      }
    }
  });
  return seconds / static_cast<double>(calls * inputs_);
}

StreamRead::StreamRead(size_t bytes) : buffer_(bytes) {
  for (uint32_t piece = 0; piece * kPiece < bytes; ++piece) pieces_.push_back(piece);
}

double StreamRead::sample(size_t threads, size_t times) const {
  const double seconds = time_bursts(threads, [&](size_t thread) {
    const size_t from = pieces_.size() * thread / threads, to = pieces_.size() * (thread + 1) / threads;
    const Reading reading = {buffer_.data(), kPiece, 0, kPiece, &pieces_[from], to - from, 0};
    for (size_t i = 0; i < times && reading.count > 0; ++i) kRead(reading);
  });
  return seconds / static_cast<double>(times);
}

}  // namespace lookupffn::bench
