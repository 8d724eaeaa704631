/* hnsw.cpp: what bench/filter.c measures, done by hnswlib: a callback in the walk, and a look afterwards.
 *
 * hnswlib 0.6.2 has no callback of its own: its walk keeps only what is not marked deleted, which is
 * what later versions do with theirs. Hence "in the walk" marks all that do not match, untimed.
 */
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr uint32_t k = 10, label_count = 5, more = 10;
const char *const labels[label_count] = {"half", "tenth", "hundredth", "thousandth", "three"};

struct data {
    uint32_t header[4]; /* vectors, dimensions, queries, effort */
    std::vector<float> vectors, queries;
    std::vector<uint8_t> label_of;
    std::vector<uint32_t> truth;
};

template <typename T> void read(FILE *file, T *out, size_t count)
{
    if (fread(out, sizeof *out, count, file) != count) {
        fprintf(stderr, "the data file is too short\n");
        exit(2);
    }
}

data load(const char *path)
{
    data d;
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    read(file, d.header, 4);
    d.vectors.resize(size_t(d.header[0]) * d.header[1]);
    d.queries.resize(size_t(d.header[2]) * d.header[1]);
    d.label_of.resize(d.header[0]);
    d.truth.resize(size_t(label_count + 1) * d.header[2] * k);
    read(file, d.vectors.data(), d.vectors.size());
    read(file, d.queries.data(), d.queries.size());
    read(file, d.label_of.data(), d.label_of.size());
    read(file, d.truth.data(), d.truth.size());
    fclose(file);
    return d;
}

void measure(const data &d, hnswlib::HierarchicalNSW<float> &index, uint32_t label, bool inside)
{
    uint32_t queries = d.header[2], fewest = k;
    uint64_t right = 0, wanted = 0;
    std::vector<double> times;
    for (uint32_t q = 0; q < queries; q++) {
        const uint32_t *truth = &d.truth[(size_t(label) * queries + q) * k];
        auto start = std::chrono::steady_clock::now();
        auto found = index.searchKnn(&d.queries[size_t(q) * d.header[1]],
                                     inside || label == label_count ? k : k * more);
        std::vector<uint32_t> kept;
        for (; !found.empty(); found.pop()) { /* the furthest first */
            uint32_t id = uint32_t(found.top().second);
            if (label == label_count || d.label_of[id] == label)
                kept.push_back(id);
        }
        if (kept.size() > k)
            kept.erase(kept.begin(), kept.end() - k);
        times.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count());
        uint32_t possible = 0;
        for (uint32_t i = 0; i < k && truth[i] != UINT32_MAX; i++, possible++)
            right += uint64_t(std::count(kept.begin(), kept.end(), truth[i]));
        wanted += possible;
        fewest = std::min(fewest, uint32_t(kept.size()));
    }
    std::sort(times.begin(), times.end());
    printf("%-28s %8.4f %8u %8.3f %8.3f\n", label == label_count ? "no filter" : labels[label],
           wanted ? double(right) / double(wanted) : 1.0, fewest, times[queries / 2],
           times[size_t(queries) * 99 / 100]);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    data d = load(argv[1]);
    hnswlib::L2Space space(d.header[1]);
    hnswlib::HierarchicalNSW<float> index(&space, d.header[0], 16, 200);
    for (uint32_t i = 0; i < d.header[0]; i++)
        index.addPoint(&d.vectors[size_t(i) * d.header[1]], i);
    index.setEf(std::max(d.header[3], k));
    printf("%-28s %8s %8s %8s %8s\n", "hnswlib, looked at afterwards", "recall", "fewest", "p50 ms",
           "p99 ms");
    measure(d, index, label_count, false);
    for (uint32_t label = 0; label < label_count; label++)
        measure(d, index, label, false);
    printf("\n%-28s %8s %8s %8s %8s\n", "hnswlib, in the walk", "recall", "fewest", "p50 ms",
           "p99 ms");
    for (uint32_t label = 0; label < label_count; label++) {
        for (uint32_t i = 0; i < d.header[0]; i++)
            if (d.label_of[i] != label)
                index.markDelete(i);
        measure(d, index, label, true);
        for (uint32_t i = 0; i < d.header[0]; i++)
            if (d.label_of[i] != label)
                index.unmarkDelete(i);
    }
    return 0;
}
