/* workers.h: threads that run the pieces of a batch, with the thread counts of ATen and OpenBLAS
 * set for them alone.
 *
 * Why own threads: OpenMP's count belongs to the thread that sets it, so the host's threads (and a
 * Python that has imported torch) keep theirs; and two pictures on one thread each are several
 * times faster than two threads on the same small matrix product. */
#ifndef IR_TORCH_WORKERS_H
#define IR_TORCH_WORKERS_H

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ir_torch {

class Workers {
public:
    /* Starts `count` threads, at least 1, which block all signals. Throws std::system_error. */
    explicit Workers(uint32_t count);
    ~Workers();
    Workers(const Workers &) = delete;
    Workers &operator=(const Workers &) = delete;

    uint32_t count() const { return static_cast<uint32_t>(threads_.size()); }

    /* Calls work(piece) for each piece, 0 <= piece < pieces <= count(), each on its own thread that
     * may itself use `threads_each`; returns when all are done and throws the first exception that
     * one threw. One call at a time. */
    void run(uint32_t pieces, uint32_t threads_each, const std::function<void(uint32_t)> &work);

private:
    void loop(uint32_t index);

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(uint32_t)> *work_ = nullptr;
    uint64_t round_ = 0;
    uint32_t pieces_ = 0, threads_each_ = 1, running_ = 0;
    bool stop_ = false;
    std::exception_ptr failure_;
    std::vector<std::thread> threads_;
};

} // namespace ir_torch

#endif
