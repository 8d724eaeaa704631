/* main.c: imgret-bench: makes sets of vectors, measures libimgret and its peers, draws the curves. */
#include "commands.h"

#include <imgret/imgret.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: imgret-bench COMMAND [OPTION VALUE]...\n"
    "\n"
    "gen --out FOLDER              makes base.fbin, queries.fbin and truth.ibin, by a seed\n"
    "    --dimension N (512)  --count N (100000)  --queries N (2000)\n"
    "    --hardness 1..5 (3)  --seed N (1)  --clusters N (200)  --threads N  --depth N (100)\n"
    "    --manifold N  --spread X  --noise X      instead of what the hardness says\n"
    "ann --base FILE --queries FILE        measures libimgret\n"
    "    --truth FILE (computed, and kept there when it does not exist)\n"
    "    --metric l2|cosine|ip (l2)  --k N (10)\n"
    "    --memory SIZE,... (no limit)      RAM of the index: 300M, 2G, 600/vector\n"
    "    --threads N,... (2)  --runs N (3)\n"
    "    --recall R,... (0.9,0.95,0.99,0.999)   finds the effort on one half of the queries,\n"
    "                                      tells of the other half\n"
    "    --scores exact|estimated|both (exact)  estimated ones need fewer reads\n"
    "    --records                         with uri, metadata and label of each result, as a host\n"
    "                                      that shows them asks; else ids and scores, as peers give\n"
    "    --calibrated                      also by the library's own target_recall\n"
    "    --efforts N,...                   measures these as they are\n"
    "    --count N  --queries-max N        only so many of the files\n"
    "    --vectors f16|f32 (f16)  --build-memory SIZE  --build-threads N\n"
    "    --db FOLDER                       keeps the database there, or uses the one it kept\n"
    "    --name TEXT                       what the set is called in reports\n"
    "    --json                            points as JSON lines on stdout, text on stderr\n"
    "peers --base FILE --queries FILE      the same with hnswlib, Faiss, DiskANN where installed\n"
    "    --engines NAME,...                some of hnswlib, faiss-hnsw, faiss-ivfsq, faiss-ivfpq,\n"
    "                                      faiss-ivfpq-refine, faiss-ivfrabitq, diskann\n"
    "    --degree N,... (16)  --ef-construction N (200)  and the options of ann\n"
    "    --keep FOLDER                     keeps the indexes there, or uses those it kept\n"
    "merge --base FILE --queries FILE      joins parts to a segment, beside building all anew\n"
    "    --merges N (10)  --part PERCENT (10)  of what is there, so that all are there in the end\n"
    "    --efforts N,... (16,32,64)  and --truth, --metric, --k, --count, --build-threads, --json\n"
    "table FILE...                         JSON lines as a Markdown table\n"
    "plot --out FOLDER FILE...             draws recall-qps.svg and recall-reads.svg\n"
    "\n"
    "Files: .fbin .u8bin .i8bin .fvecs .bvecs .npy idx*-ubyte, also .gz; truth: .ibin .ivecs\n";

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "gen") == 0)
        return bench_gen(argc, argv);
    if (strcmp(command, "ann") == 0)
        return bench_ann(argc, argv);
    if (strcmp(command, "merge") == 0)
        return bench_merge(argc, argv);
    if (strcmp(command, "peers") == 0)
        return bench_peers(argc, argv);
    if (strcmp(command, "table") == 0)
        return bench_table(argc, argv);
    if (strcmp(command, "plot") == 0)
        return bench_plot(argc, argv);
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (strcmp(command, "--version") == 0) {
        printf("imgret-bench %s\n", imgret_version_string());
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
