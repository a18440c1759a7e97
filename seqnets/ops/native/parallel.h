// Rows of a batch shared out over threads. A thread takes its rows through all steps of time, so that nobody waits within the loop.
#pragma once

#include <algorithm>
#include <atomic>
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

// Calls body(rows) for `parts` equal parts of the rows. The caller works too and takes whatever no other thread has begun: it never
// waits for a thread that is not running, so calls may be nested in a pool without a deadlock.
class Split {
 public:
  static void run(int64_t rows, int64_t parts, const Workers& workers, std::function<void(Rows)> body) {
    parts = std::max<int64_t>(1, std::min({parts, rows, workers.threads}));
    if (parts == 1) return body({0, rows});
    auto split = std::make_shared<Split>(rows, parts, std::move(body));
    for (int64_t other = 1; other < parts; ++other) workers.schedule([split] { split->work(); });
    split->work();
    split->wait();
  }

  Split(int64_t rows, int64_t parts, std::function<void(Rows)> body) : rows_(rows), parts_(parts), body_(std::move(body)) {}

 private:
  void work() {
    for (int64_t part = next_++; part < parts_; part = next_++) {
      body_({rows_ * part / parts_, rows_ * (part + 1) / parts_});
      std::lock_guard<std::mutex> lock(mutex_);
      if (++done_ == parts_) all_done_.notify_one();
    }
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [this] { return done_ == parts_; });
  }

  const int64_t rows_, parts_;
  const std::function<void(Rows)> body_;
  std::atomic<int64_t> next_{0};
  int64_t done_ = 0;
  std::mutex mutex_;
  std::condition_variable all_done_;
};

}  // namespace seqnets
