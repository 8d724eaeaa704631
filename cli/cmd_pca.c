/* cmd_pca.c: pca train: principal components of a database's vectors, or of a folder's pictures. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "sample.h"
#include "session.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE_DEFAULT 20000u

typedef struct sample {
    float *vectors;
    uint64_t count;
    uint32_t dimension;
    char *identity;
} sample;

/* ---- from a database ---- */

static int out_of_memory(void)
{
    cli_error("out of memory");
    return CLI_EXIT_ERROR;
}

/* Every so-manieth vector, so that at most `most` are taken, from all over the database. */
static int read_vectors(imgret *db, const imgret_stats *stats, uint64_t most, sample *out)
{
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t step = (stats->image_count + most - 1) / most, at = 0;
    imgret_list_options page = {.size = sizeof page, .state = IMGRET_STATE_STORED};
    for (;;) {
        imgret_records *records;
        if (imgret_list(&records, db, &page, &error) != IMGRET_OK)
            return cli_session_fail(&error);
        uint64_t count = imgret_records_count(records);
        int status = CLI_EXIT_FOUND;
        for (uint64_t i = 0; i < count && status == CLI_EXIT_FOUND; i++) {
            page.after_id = imgret_records_at(records, i)->id;
            if (at++ % step != 0 || out->count == most)
                continue;
            if (imgret_get_vector(db, page.after_id, out->vectors + out->count * out->dimension,
                                  out->dimension, &error) == IMGRET_OK)
                out->count++;
            else if (error.code != IMGRET_NOT_FOUND) /* removed meanwhile */
                status = cli_session_fail(&error);
            if (cli_session_is_interrupted())
                status = CLI_EXIT_INTERRUPTED;
        }
        imgret_records_free(records);
        if (status != CLI_EXIT_FOUND || count == 0)
            return status;
    }
}

static int sample_database(imgret *db, uint64_t most, sample *out)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(db, &stats, &error) != IMGRET_OK)
        return cli_session_fail(&error);
    if (strstr(stats.model_identity, ";pca=")) {
        cli_error("these vectors are projected already: %s", stats.model);
        return CLI_EXIT_ERROR;
    }
    most = stats.image_count < most ? stats.image_count : most;
    out->dimension = stats.dimension;
    out->identity = strdup(stats.model_identity);
    out->vectors = malloc((size_t)(most ? most : 1) * out->dimension * sizeof(float));
    if (!out->identity || !out->vectors)
        return out_of_memory();
    return most ? read_vectors(db, &stats, most, out) : CLI_EXIT_FOUND;
}

/* ---- from pictures: through a database that lives as long as the command ---- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    uint64_t *stored_count = user;
    *stored_count += item->outcome == IMGRET_STORED;
    return 0;
}

/* Takes pictures from the shuffled files until there are `most`; what is no picture is passed over. */
static int ingest_files(imgret *db, const cli_files *files, uint64_t most)
{
    uint64_t stored_count = 0;
    for (size_t first = 0; first < files->count && stored_count < most;) {
        uint64_t left = files->count - first, wanted = most - stored_count;
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_ingest_options what = {.size = sizeof what,
                                      .paths = (const char *const *)files->items + first,
                                      .path_count = left < wanted ? left : wanted,
                                      .on_item = on_item,
                                      .user = &stored_count};
        if (imgret_ingest(db, &what, NULL, &error) != IMGRET_OK && error.code != IMGRET_NOT_FOUND)
            return cli_session_fail(&error); /* a file that is gone by now is no loss */
        first += (size_t)what.path_count;
    }
    return CLI_EXIT_FOUND;
}

static int ingest_pictures(imgret *db, const cli_options *options, uint64_t most)
{
    cli_files files = {0};
    int status = CLI_EXIT_ERROR;
    if (cli_files_shuffled(&files, options->words, options->word_count,
                           options->seed ? options->seed : 1))
        status = ingest_files(db, &files, most);
    else if (cli_session_is_interrupted())
        status = CLI_EXIT_INTERRUPTED;
    cli_files_free(&files);
    return status;
}

static int sample_pictures(const cli_options *options, uint64_t most, sample *out)
{
    const char *root = getenv("TMPDIR");
    char folder[4096], path[4120];
    snprintf(folder, sizeof folder, "%s/imgret-pca-XXXXXX", root && root[0] ? root : "/tmp");
    if (!mkdtemp(folder)) {
        cli_error("cannot make a folder in %s", root && root[0] ? root : "/tmp");
        return CLI_EXIT_ERROR;
    }
    snprintf(path, sizeof path, "%s/sample.imgret", folder);
    cli_options opened = *options;
    opened.db = path;
    opened.vector_type = IMGRET_VECTOR_F32;
    int status = CLI_EXIT_ERROR;
    imgret *db = cli_session_open(&opened, IMGRET_OPEN_NEW);
    if (db) {
        status = ingest_pictures(db, options, most);
        if (status == CLI_EXIT_FOUND)
            status = sample_database(db, most, out);
    }
    cli_session_close(db);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

/* ---- the command ---- */

static bool is_database(const char *path)
{
    char *catalog = malloc(strlen(path) + sizeof "/catalog.db");
    if (!catalog)
        return false;
    sprintf(catalog, "%s/catalog.db", path);
    bool found = access(catalog, F_OK) == 0;
    free(catalog);
    return found;
}

static int take_sample(const cli_options *options, uint64_t most, sample *out)
{
    if (options->word_count != 1 || !is_database(options->words[0]))
        return sample_pictures(options, most, out);
    cli_options opened = *options;
    opened.db = options->words[0];
    imgret *db = cli_session_open(&opened, IMGRET_OPEN_READ_ONLY);
    int status = db ? sample_database(db, most, out) : CLI_EXIT_ERROR;
    cli_session_close(db);
    return status;
}

static int train(const cli_options *options, const sample *from)
{
    imgret_pca_options pca = {.size = sizeof pca,
                              .flags = options->whiten ? IMGRET_PCA_WHITEN : 0,
                              .dimension = options->dimension,
                              .identity = from->identity};
    imgret_error error = IMGRET_ERROR_INIT;
    double kept = 0;
    if (imgret_pca_train(options->output, from->vectors, from->count, from->dimension, &pca, &kept,
                         &error) != IMGRET_OK)
        return cli_session_fail(&error);
    uint32_t dimension = pca.dimension ? pca.dimension : 128;
    if (options->json) {
        cli_json_begin();
        cli_json_path("output", options->output);
        cli_json_count("sample_count", from->count);
        cli_json_count("input_dimension", from->dimension);
        cli_json_count("dimension", dimension);
        cli_json_bool("whiten", options->whiten);
        cli_json_number("variance_kept", kept);
        cli_json_end();
    } else {
        cli_note("%s: %u of %u dimensions, %.1f%% of the variance, learned from %" PRIu64
                 " vectors",
                 options->output, dimension, from->dimension, 100 * kept, from->count);
    }
    return CLI_EXIT_FOUND;
}

int cli_pca(const cli_options *options)
{
    if (strcmp(options->db, "train") != 0) { /* the first word: there is no database here */
        cli_error("'%s' is nothing that 'imgret pca' does; it knows 'train'", options->db);
        return CLI_EXIT_ERROR;
    }
    if (!options->output) {
        cli_error("where to? Give --output FILE");
        return CLI_EXIT_ERROR;
    }
    sample from = {0};
    int status = take_sample(options, options->sample ? options->sample : SAMPLE_DEFAULT, &from);
    if (status == CLI_EXIT_FOUND)
        status = train(options, &from);
    free(from.vectors);
    free(from.identity);
    return status;
}
