// scratch.cpp: memory of intermediate results, kept by each thread for its next picture.
#include "torch/scratch.h"

#include <cstdlib>
#include <new>

namespace ir_torch {

namespace {

constexpr size_t ALIGNMENT = 64;
constexpr size_t BLOCK_MIN = 4096;
constexpr size_t FREE_COUNT_MAX = 64; // a network has a handful of results alive at a time

// Stands before the values, a whole line of the cache.
struct alignas(ALIGNMENT) Block {
    size_t bytes;
    void *values() { return this + 1; }
    static Block *of(void *values) { return static_cast<Block *>(values) - 1; }
};

struct FreeBlocks {
    std::vector<Block *> blocks;

    FreeBlocks() { blocks.reserve(FREE_COUNT_MAX); }
    ~FreeBlocks() { clear(); }
    void clear()
    {
        for (Block *block : blocks)
            std::free(block);
        blocks.clear();
    }
    // The smallest that is large enough, unless it is more than twice as large as needed.
    Block *take(size_t bytes)
    {
        size_t best = blocks.size();
        for (size_t i = 0; i < blocks.size(); i++)
            if (blocks[i]->bytes >= bytes && blocks[i]->bytes / 2 <= bytes &&
                (best == blocks.size() || blocks[i]->bytes < blocks[best]->bytes))
                best = i;
        if (best == blocks.size())
            return nullptr;
        Block *block = blocks[best];
        blocks[best] = blocks.back();
        blocks.pop_back();
        return block;
    }
    void give(Block *block)
    {
        if (blocks.size() == FREE_COUNT_MAX) { // the oldest no longer fits what is asked for
            std::free(blocks.front());
            blocks.erase(blocks.begin());
        }
        blocks.push_back(block);
    }
};

thread_local FreeBlocks free_blocks;

Block *take(size_t bytes)
{
    bytes = std::max(bytes, BLOCK_MIN);
    if (Block *block = free_blocks.take(bytes))
        return block;
    void *memory = nullptr;
    if (bytes > SIZE_MAX - sizeof(Block) ||
        posix_memalign(&memory, ALIGNMENT, sizeof(Block) + bytes) != 0)
        throw std::bad_alloc();
    return new (memory) Block{bytes};
}

struct Loan {
    void *values = nullptr;
    size_t bytes = 0;
    ~Loan()
    {
        if (values)
            std::free(Block::of(values));
    }
};

} // namespace

at::Tensor scratch(const std::vector<int64_t> &sizes, const std::vector<int64_t> &strides,
                   at::ScalarType type)
{
    size_t bytes = c10::elementSize(type);
    for (int64_t side : sizes)
        if (side < 0 || __builtin_mul_overflow(bytes, static_cast<size_t>(side), &bytes))
            throw std::bad_alloc();
    auto give_back = [](void *values) { free_blocks.give(Block::of(values)); };
    return at::from_blob(take(bytes)->values(), sizes, strides, give_back,
                         at::TensorOptions().dtype(type));
}

at::Tensor scratch(const std::vector<int64_t> &sizes, at::ScalarType type, bool channels_last)
{
    std::vector<int64_t> strides(sizes.size());
    int64_t stride = 1;
    if (channels_last) {
        strides = {sizes[1] * sizes[2] * sizes[3], 1, sizes[3] * sizes[1], sizes[1]};
    } else {
        for (size_t i = sizes.size(); i-- > 0; stride *= sizes[i])
            strides[i] = stride;
    }
    return scratch(sizes, strides, type);
}

void scratch_forget()
{
    free_blocks.clear();
}

void *scratch_bytes(size_t bytes)
{
    static thread_local Loan loan;
    if (bytes > loan.bytes || !loan.values) {
        Block *block = take(bytes);
        if (loan.values)
            free_blocks.give(Block::of(loan.values));
        loan.values = block->values();
        loan.bytes = block->bytes;
    }
    return loan.values;
}

} // namespace ir_torch
