// workers.cpp: threads that run the pieces of a batch.
#include "torch/workers.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <csignal>
#include <torch/version.h>

// In libtorch's own OpenMP runtime and BLAS, when they are what it was built with: looked up among
// its dependencies as this plugin is loaded, absent otherwise.
extern "C" {
__attribute__((weak)) void omp_set_num_threads(int);
__attribute__((weak)) void openblas_set_num_threads(int);
__attribute__((weak)) int openblas_get_num_threads(void);
}

namespace ir_torch {

namespace {

#if TORCH_VERSION_MAJOR >= 2
class SilentWarnings : public c10::WarningHandler {
public:
    void process(const c10::Warning &) override {}
};
using c10::WarningUtils::set_warning_handler;
#else
class SilentWarnings : public c10::WarningHandler {
public:
    void process(const c10::SourceLocation &, const std::string &, const bool) override {}
};
using c10::Warning::set_warning_handler;
#endif

// OpenBLAS has one thread count for the whole process, which the host may use too: it is 1 while a
// batch runs (see Linear::by_rows) and given back after the last one.
class SingleBlasThread {
public:
    SingleBlasThread()
    {
        std::lock_guard<std::mutex> hold(mutex);
        if (users++ == 0 && openblas_get_num_threads && openblas_set_num_threads) {
            before = openblas_get_num_threads();
            if (before != 1)
                openblas_set_num_threads(1);
        }
    }
    ~SingleBlasThread()
    {
        std::lock_guard<std::mutex> hold(mutex);
        if (--users == 0 && before > 1 && openblas_get_num_threads() == 1)
            openblas_set_num_threads(before);
    }

private:
    static std::mutex mutex;
    static int users, before;
};

std::mutex SingleBlasThread::mutex;
int SingleBlasThread::users, SingleBlasThread::before;

void set_own_threads(uint32_t count)
{
    at::get_num_threads(); // the first call on a thread takes over a count set elsewhere
    if (omp_set_num_threads)
        omp_set_num_threads(static_cast<int>(count));
    else
        at::set_num_threads(static_cast<int>(count));
}

} // namespace

Workers::Workers(uint32_t count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        for (uint32_t i = 0; i < count; i++)
            threads_.emplace_back([this, i] { loop(i); });
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        {
            std::lock_guard<std::mutex> hold(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        for (std::thread &thread : threads_)
            thread.join();
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Workers::~Workers()
{
    {
        std::lock_guard<std::mutex> hold(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread &thread : threads_)
        thread.join();
}

void Workers::loop(uint32_t index)
{
    static SilentWarnings silent;
    uint64_t seen = 0;
    uint32_t threads_now = 0;
    std::unique_lock<std::mutex> hold(mutex_);
    for (;;) {
        wake_.wait(hold, [&] { return stop_ || round_ != seen; });
        if (stop_)
            return;
        seen = round_;
        if (index >= pieces_)
            continue;
        const std::function<void(uint32_t)> *work = work_;
        uint32_t threads_each = threads_each_;
        hold.unlock();
        std::exception_ptr failure;
        try {
            if (threads_now != threads_each) {
                set_warning_handler(&silent); // this thread's own
                set_own_threads(threads_each);
                threads_now = threads_each;
            }
            (*work)(index);
        } catch (...) {
            failure = std::current_exception();
        }
        hold.lock();
        if (failure && !failure_)
            failure_ = failure;
        if (--running_ == 0)
            done_.notify_one();
    }
}

void Workers::run(uint32_t pieces, uint32_t threads_each, const std::function<void(uint32_t)> &work)
{
    SingleBlasThread blas;
    std::unique_lock<std::mutex> hold(mutex_);
    work_ = &work;
    pieces_ = pieces;
    threads_each_ = threads_each;
    running_ = pieces;
    failure_ = nullptr;
    round_++;
    wake_.notify_all();
    done_.wait(hold, [&] { return running_ == 0; });
    work_ = nullptr;
    if (failure_) {
        std::exception_ptr failure = failure_;
        failure_ = nullptr;
        std::rethrow_exception(failure);
    }
}

} // namespace ir_torch
