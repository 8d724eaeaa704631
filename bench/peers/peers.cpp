/* peers.cpp: hnswlib and Faiss, measured by the same code and on the same queries as libimgret.
 *
 * Run by `imgret-bench peers`. As there, building and searching are processes of their own: the built
 * index goes through a file, so that a search's memory is only its own. Efforts are efSearch of
 * graphs and nprobe of inverted lists.
 */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <faiss/AutoTune.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <hnswlib/hnswlib.h>
#include <omp.h>
#include <unistd.h>

extern "C" {
#include "../common.h"
}
#include "../ann/options.h"
#include "../ann/stage.h"
#include "../ann/vectors.h"

#include <imgret/imgret.h>

namespace {

struct Peer {
    bench_job *job;
    std::string engine;  // "hnswlib", "faiss-hnsw", ...
    std::string factory; // what Faiss calls it; empty: hnswlib
    uint32_t degree;
    uint32_t ef_construction;
    uint32_t effort_min, effort_max;
    std::string file, notes;
};

bool is_inner(const bench_job *job)
{
    return job->metric == IMGRET_METRIC_INNER_PRODUCT;
}

// Cosine is L2 of normalised vectors: the order is the same.
void normalise(const bench_job *job, float *rows, size_t count)
{
    if (job->metric != IMGRET_METRIC_COSINE)
        return;
    for (size_t i = 0; i < count; i++) {
        float *row = rows + i * job->dimension;
        double squares = 0;
        for (uint32_t j = 0; j < job->dimension; j++)
            squares += double(row[j]) * double(row[j]);
        float inverse = squares > 0 ? float(1 / std::sqrt(squares)) : 0;
        for (uint32_t j = 0; j < job->dimension; j++)
            row[j] *= inverse;
    }
}

std::vector<float> load_base(const bench_job *job)
{
    bench_vectors *vectors = bench_vectors_open(job->base, job->base_max);
    std::vector<float> rows(job->count * job->dimension);
    bench_vectors_read(vectors, rows.data(), job->count);
    bench_vectors_close(vectors);
    normalise(job, rows.data(), job->count);
    return rows;
}

// ---- hnswlib ---------------------------------------------------------------------------------------

std::unique_ptr<hnswlib::SpaceInterface<float>> make_space(const bench_job *job)
{
    if (is_inner(job))
        return std::make_unique<hnswlib::InnerProductSpace>(job->dimension);
    return std::make_unique<hnswlib::L2Space>(job->dimension);
}

void build_hnswlib(const Peer &peer, const std::vector<float> &rows)
{
    const bench_job *job = peer.job;
    auto space = make_space(job);
    hnswlib::HierarchicalNSW<float> index(space.get(), job->count, peer.degree,
                                          peer.ef_construction);
    index.addPoint(rows.data(), 0); // the entry point must be there before threads race for it
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < job->build_threads; t++)
        threads.emplace_back([&, t] {
            for (size_t i = 1 + t; i < job->count; i += job->build_threads)
                index.addPoint(rows.data() + i * job->dimension, i);
        });
    for (auto &thread : threads)
        thread.join();
    index.saveIndex(peer.file);
}

struct Hnswlib {
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
};

void hnswlib_search(void *user, const float *query, uint32_t, uint32_t k, int64_t *ids)
{
    auto &peer = *static_cast<Hnswlib *>(user);
    auto found = peer.index->searchKnn(query, k); // farthest first
    std::fill(ids, ids + k, -1);
    for (size_t at = found.size(); at > 0; at--, found.pop())
        ids[at - 1] = int64_t(found.top().second);
}

void hnswlib_set_effort(void *user, uint32_t effort)
{
    static_cast<Hnswlib *>(user)->index->setEf(effort);
}

void hnswlib_count(void *user, bench_counters *out)
{
    auto &index = *static_cast<Hnswlib *>(user)->index;
    double bytes = double(index.max_elements_ * index.size_data_per_element_);
    for (size_t i = 0; i < index.cur_element_count; i++)
        bytes += double(size_t(index.element_levels_[i]) * index.size_links_per_element_);
    out->ram_bytes = bytes;
}

// ---- Faiss -----------------------------------------------------------------------------------------

std::unique_ptr<faiss::Index> make_faiss(const Peer &peer)
{
    const bench_job *job = peer.job;
    std::unique_ptr<faiss::Index> index(
        faiss::index_factory(int(job->dimension), peer.factory.c_str(),
                             is_inner(job) ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2));
    if (auto *graph = dynamic_cast<faiss::IndexHNSW *>(index.get()))
        graph->hnsw.efConstruction = int(peer.ef_construction);
    return index;
}

void build_faiss(const Peer &peer, const std::vector<float> &rows)
{
    omp_set_num_threads(int(peer.job->build_threads));
    auto index = make_faiss(peer);
    index->train(faiss::Index::idx_t(peer.job->count), rows.data());
    index->add(faiss::Index::idx_t(peer.job->count), rows.data());
    faiss::write_index(index.get(), peer.file.c_str());
}

struct Faiss {
    std::unique_ptr<faiss::Index> index;
    uint32_t dimension, threads;
    bool graph;
    double bytes;
};

void faiss_ask(Faiss &peer, const float *queries, uint32_t count, uint32_t k, int64_t *ids)
{
    std::vector<float> scores(size_t(count) * k);
    static_assert(sizeof(faiss::Index::idx_t) == sizeof(int64_t), "ids are 64 bits wide");
    peer.index->search(count, queries, k, scores.data(), ids);
}

void faiss_search(void *user, const float *query, uint32_t, uint32_t k, int64_t *ids)
{
    omp_set_num_threads(1); // of this thread: the callers are the threads
    faiss_ask(*static_cast<Faiss *>(user), query, 1, k, ids);
}

void faiss_search_batch(void *user, const float *queries, uint32_t count, uint32_t, uint32_t k,
                        int64_t *ids)
{
    auto &peer = *static_cast<Faiss *>(user);
    omp_set_num_threads(int(peer.threads));
    faiss_ask(peer, queries, count, k, ids);
}

void faiss_set_effort(void *user, uint32_t effort)
{
    auto &peer = *static_cast<Faiss *>(user);
    faiss::ParameterSpace().set_index_parameter(peer.index.get(),
                                                peer.graph ? "efSearch" : "nprobe", effort);
}

void faiss_count(void *user, bench_counters *out)
{
    out->ram_bytes = static_cast<Faiss *>(user)->bytes;
}

// ---- Both ------------------------------------------------------------------------------------------

std::string describe(const Peer &peer)
{
    std::string text = peer.factory.empty() ? "M=" + std::to_string(peer.degree) : peer.factory;
    if (peer.factory.empty() || peer.factory.rfind("HNSW", 0) == 0)
        text += " efConstruction=" + std::to_string(peer.ef_construction);
    return text;
}

// Writes the file of the index and, last, the notes: without them there is nothing to search.
void build(void *user)
{
    auto &peer = *static_cast<Peer *>(user);
    try {
        auto rows = load_base(peer.job);
        double started = bench_seconds(), processor = bench_processor_seconds();
        peer.factory.empty() ? build_hnswlib(peer, rows) : build_faiss(peer, rows);
        bench_point point = bench_job_point(peer.job, peer.engine.c_str());
        point.build_s = bench_seconds() - started;
        point.build_cpu_s = bench_processor_seconds() - processor;
        point.file_bytes = double(bench_tree_bytes(peer.file.c_str()));
        snprintf(point.index, sizeof point.index, "%s", describe(peer).c_str());
        bench_build_write(peer.notes.c_str(), &point);
    } catch (const std::exception &failure) {
        bench_die("%s: %s", peer.engine.c_str(), failure.what());
    }
}

bench_queries load_queries(const bench_job *job)
{
    bench_queries queries = bench_queries_load(job->queries, job->truth, job->query_max,
                                               job->plan.k);
    normalise(job, queries.tuning.rows, queries.tuning.count);
    normalise(job, queries.testing.rows, queries.testing.count);
    return queries;
}

void measure_hnswlib(const Peer &peer, const bench_queries &queries, const bench_point &point)
{
    Hnswlib loaded;
    loaded.space = make_space(peer.job);
    loaded.index = std::make_unique<hnswlib::HierarchicalNSW<float>>(loaded.space.get(), peer.file);
    bench_engine engine = {};
    engine.user = &loaded;
    engine.effort_min = peer.effort_min;
    engine.effort_max = peer.effort_max;
    engine.set_effort = hnswlib_set_effort;
    engine.search = hnswlib_search;
    engine.count = hnswlib_count;
    bench_measure(&engine, &queries, &peer.job->plan, &point);
}

void measure_faiss(const Peer &peer, const bench_queries &queries, const bench_point &point)
{
    Faiss loaded = {};
    loaded.index.reset(faiss::read_index(peer.file.c_str()));
    loaded.dimension = peer.job->dimension;
    loaded.threads = peer.job->plan.threads;
    loaded.graph = dynamic_cast<faiss::IndexHNSW *>(loaded.index.get()) != nullptr;
    loaded.bytes = point.file_bytes; // Faiss counts none; the file is what is in memory
    bench_engine engine = {};
    engine.user = &loaded;
    engine.effort_min = peer.effort_min;
    engine.effort_max = peer.effort_max;
    engine.set_effort = faiss_set_effort;
    engine.search = faiss_search;
    engine.search_batch = faiss_search_batch;
    engine.count = faiss_count;
    bench_measure(&engine, &queries, &peer.job->plan, &point);
}

void search(void *user)
{
    auto &peer = *static_cast<Peer *>(user);
    try {
        bench_point point = bench_build_read(peer.notes.c_str());
        bench_queries queries = load_queries(peer.job);
        peer.factory.empty() ? measure_hnswlib(peer, queries, point)
                             : measure_faiss(peer, queries, point);
        bench_queries_free(&queries);
    } catch (const std::exception &failure) {
        bench_die("%s: %s", peer.engine.c_str(), failure.what());
    }
}

void check_kept(const Peer &peer)
{
    bench_point point = bench_build_read(peer.notes.c_str());
    if (uint64_t(point.count) != peer.job->count ||
        uint32_t(point.dimension) != peer.job->dimension ||
        strcmp(point.metric, bench_metric_name(peer.job->metric)) != 0)
        bench_die("%s was made of other vectors, or for another metric", peer.file.c_str());
}

// Returns whether all went well; what this version of Faiss does not know is told and left out.
// `kept` is the folder where indexes stay, empty: they go.
bool run(Peer peer, const std::string &kept)
{
    bench_job *job = peer.job;
    peer.file = kept.empty() ? std::string(job->scratch) + "/peer.index"
                             : kept + "/" + peer.engine + "-" + std::to_string(peer.degree) + "-" +
                                   std::to_string(peer.ef_construction);
    peer.notes = peer.file + ".build";
    if (access(peer.notes.c_str(), R_OK) != 0) {
        uint64_t peak_bytes = bench_try_apart(build, &peer);
        if (!peak_bytes) {
            fprintf(stderr, "%s is left out\n", peer.engine.c_str());
            return peer.engine == "faiss-ivfrabitq"; // no older version has it
        }
        bench_point point = bench_build_read(peer.notes.c_str());
        point.build_rss_bytes = double(peak_bytes);
        bench_build_write(peer.notes.c_str(), &point);
    } else
        check_kept(peer);
    bool well = true;
    for (uint32_t t = 0; t < job->thread_count; t++) {
        job->plan.threads = job->threads[t];
        well = bench_try_apart(search, &peer) && well;
    }
    if (kept.empty()) {
        remove(peer.file.c_str());
        remove(peer.notes.c_str());
    }
    return well;
}

// The largest number of parts of at least 8 dimensions that divides the dimension.
uint32_t part_count(uint32_t dimension)
{
    uint32_t parts = std::max(1u, dimension / 8);
    while (dimension % parts)
        parts--;
    return parts;
}

std::vector<Peer> list_peers(bench_job *job, uint32_t degree, uint32_t ef_construction)
{
    uint32_t k = job->plan.k;
    uint32_t lists = std::max(1u, uint32_t(4 * std::sqrt(double(job->count))));
    lists = std::min(lists, std::max(1u, uint32_t(job->count / 39))); // Faiss wants 39 a centroid
    std::string list_text = "IVF" + std::to_string(lists);
    std::string parts = "PQ" + std::to_string(part_count(job->dimension));
    return {
        {job, "hnswlib", "", degree, ef_construction, k, 16384, "", ""},
        {job, "faiss-hnsw", "HNSW" + std::to_string(degree) + ",Flat", degree, ef_construction, k,
         16384, "", ""},
        {job, "faiss-ivfsq", list_text + ",SQ8", 0, 0, 1, lists, "", ""},
        {job, "faiss-ivfpq", list_text + "," + parts, 0, 0, 1, lists, "", ""},
        {job, "faiss-ivfpq-refine", list_text + "," + parts + ",RFlat", 0, 0, 1, lists, "", ""},
        {job, "faiss-ivfrabitq", list_text + ",RaBitQ", 0, 0, 1, lists, "", ""},
    };
}

} // namespace

int main(int argc, char **argv)
{
    static const char *const own[] = {"--engines", "--degree", "--ef-construction", "--keep",
                                      nullptr};
    static bench_job job;
    bench_check_options(argc, argv, bench_job_valued, own, bench_job_flags);
    const char *engines = bench_option(argc, argv, "--engines", nullptr);
    uint32_t degrees[8];
    uint32_t degree_count = bench_numbers(argc, argv, "--degree", "16", degrees, 8);
    uint32_t ef_construction = uint32_t(
        bench_number(argc, argv, "--ef-construction", 200, 1, 10000));
    std::string wanted = engines ? "," + std::string(engines) + "," : "";
    std::string kept = bench_option(argc, argv, "--keep", "");
    bench_job_read(&job, argc, argv);
    bench_point_print_head(job.plan.json ? stderr : stdout);
    bool well = true;
    for (uint32_t d = 0; d < degree_count; d++)
        for (const Peer &peer : list_peers(&job, degrees[d], ef_construction)) {
            bool graph = peer.degree > 0;
            if ((graph || d == 0) &&
                (!engines || wanted.find("," + peer.engine + ",") != std::string::npos))
                well = run(peer, kept) && well;
        }
    return well ? 0 : 1;
}
