/* hnsw.cpp: what bench/filter.c measures, done by hnswlib: a callback in the walk, and a look afterwards.
 *
 * hnswlib 0.6.2 has no callback of its own: its walk keeps only what is not marked deleted, which is
 * what later versions do with theirs. Hence "in the walk" marks all that do not match, untimed.
 */
#include "../../filter.h"

#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr uint32_t k = FILTER_K, label_count = FILTER_LABELS, more = 10;

struct data {
    uint32_t header[4]; /* vectors, dimensions, queries, effort */
    std::vector<float> vectors, queries;
    std::vector<uint8_t> label_of;
    std::vector<uint32_t> truth;
    uint32_t queries_max;
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

double now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return 1e3 * double(now.tv_sec) + 1e-6 * double(now.tv_nsec);
}

void print_head(const char *title)
{
    printf("%-28s %8s %8s %8s %8s %8s %8s\n", title, "recall", "fewest", "p50", "p99", "CPU p50",
           "CPU p99");
}

/* The index that an earlier run left beside the data, or a new one, which is left there. */
std::unique_ptr<hnswlib::HierarchicalNSW<float>> build(const data &d, hnswlib::L2Space &space,
                                                       const std::string &path, size_t ef)
{
    using index_type = hnswlib::HierarchicalNSW<float>;
    if (FILE *file = fopen(path.c_str(), "rb")) {
        fclose(file);
        return std::make_unique<index_type>(&space, path);
    }
    auto index = std::make_unique<index_type>(&space, d.header[0], 16, ef);
    for (uint32_t i = 0; i < d.header[0]; i++)
        index->addPoint(&d.vectors[size_t(i) * d.header[1]], i);
    index->saveIndex(path);
    return index;
}

void measure(const data &d, hnswlib::HierarchicalNSW<float> &index, uint32_t label, bool inside)
{
    uint32_t queries = std::min(d.header[2], d.queries_max), fewest = k;
    uint64_t right = 0, wanted = 0;
    std::vector<double> times, processor;
    for (uint32_t q = 0; q < queries; q++) {
        const uint32_t *truth = &d.truth[(size_t(label) * d.header[2] + q) * k];
        double start = now_ms(CLOCK_MONOTONIC), start_processor = now_ms(CLOCK_PROCESS_CPUTIME_ID);
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
        times.push_back(now_ms(CLOCK_MONOTONIC) - start);
        processor.push_back(now_ms(CLOCK_PROCESS_CPUTIME_ID) - start_processor);
        uint32_t possible = 0;
        for (uint32_t i = 0; i < k && truth[i] != UINT32_MAX; i++, possible++)
            right += uint64_t(std::count(kept.begin(), kept.end(), truth[i]));
        wanted += possible;
        fewest = std::min(fewest, uint32_t(kept.size()));
    }
    std::sort(times.begin(), times.end());
    std::sort(processor.begin(), processor.end());
    printf("%-28s %8.4f %8u %8.3f %8.3f %8.3f %8.3f\n",
           label == label_count ? "no filter" : filter_labels[label],
           wanted ? double(right) / double(wanted) : 1.0, fewest, times[queries / 2],
           times[size_t(queries) * 99 / 100], processor[queries / 2],
           processor[size_t(queries) * 99 / 100]);
    fflush(stdout);
}

} // namespace

/* filter-hnswlib DATA EF_CONSTRUCTION QUERIES_MAX (0: all) */
int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    data d = load(argv[1]);
    d.queries_max = uint32_t(atoi(argv[3])) ? uint32_t(atoi(argv[3])) : UINT32_MAX;
    hnswlib::L2Space space(d.header[1]);
    auto index = build(d, space, std::string(argv[1]) + ".hnsw", size_t(atoi(argv[2])));
    index->setEf(std::max(d.header[3], k));
    print_head("hnswlib, looked at afterwards");
    measure(d, *index, label_count, false);
    for (uint32_t label = 0; label < label_count; label++)
        measure(d, *index, label, false);
    printf("\n");
    print_head("hnswlib, in the walk");
    for (uint32_t label = 0; label < label_count; label++) {
        for (uint32_t i = 0; i < d.header[0]; i++)
            if (d.label_of[i] != label)
                index->markDelete(i);
        measure(d, *index, label, true);
        for (uint32_t i = 0; i < d.header[0]; i++)
            if (d.label_of[i] != label)
                index->unmarkDelete(i);
    }
    return 0;
}
