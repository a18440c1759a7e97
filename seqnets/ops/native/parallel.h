// Work shared out over threads: rows of a batch, each of which a thread takes through all steps of time, so that nobody waits within
// the loop; or strips of a matrix's columns.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace seqnets {

struct Rows {
  int64_t begin, end;
  int64_t count() const { return end - begin; }
};

// Where work can be left to other threads: `schedule` must return at once.
struct Workers {
  int64_t threads = 1;
  std::function<void(std::function<void()>)> schedule;
};

// How long to look whether another thread has finished before sleeping until it says so: to be woken takes longer than that.
constexpr std::chrono::microseconds kPatience{4};

// Calls body(rows) for `parts` equal parts of the rows. The caller works too and takes whatever no other thread has begun: it never
// waits for a thread that is not running, so calls may be nested in a pool without a deadlock.
class Split {
 public:
  static void run(int64_t rows, int64_t parts, const Workers& workers, std::function<void(Rows)> body) {
    parts = std::max<int64_t>(1, std::min(parts, rows));
    if (parts == 1) return body({0, rows});
    auto split = std::make_shared<Split>(rows, parts, std::move(body));
    for (int64_t other = 1; other < std::min(parts, workers.threads); ++other) workers.schedule([split] { split->work(); });
    split->work();
    split->wait();
  }

  Split(int64_t rows, int64_t parts, std::function<void(Rows)> body) : rows_(rows), parts_(parts), body_(std::move(body)) {}

 private:
  void work() {
    for (int64_t part = next_++; part < parts_; part = next_++) {
      body_({rows_ * part / parts_, rows_ * (part + 1) / parts_});
      if (++done_ < parts_) continue;
      std::lock_guard<std::mutex> lock(mutex_);
      all_done_.notify_one();
    }
  }

  void wait() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (done_ < parts_ && std::chrono::steady_clock::now() < end) {
    }
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [this] { return done_ == parts_; });
  }

  const int64_t rows_, parts_;
  const std::function<void(Rows)> body_;
  std::atomic<int64_t> next_{0}, done_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
};

}  // namespace seqnets
