/* options.h: the one table of commands and flags, and what a command line said. */
#ifndef IMGRET_CLI_OPTIONS_H
#define IMGRET_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_options cli_options;

/* One command. `run` returns the exit status. */
typedef struct cli_command {
    const char *name;
    uint32_t bit;          /* in cli_flag.commands */
    size_t word_count_min; /* words after DB */
    size_t word_count_max;
    const char *usage;    /* what follows the name */
    const char *summary;  /* one line */
    const char *examples; /* lines, each indented by two spaces and ended by a newline */
    const char *details;  /* lines as in `examples`, "" for none */
    int (*run)(const cli_options *options);
} cli_command;

typedef enum cli_flag_kind {
    CLI_FLAG_SWITCH, /* bool */
    CLI_FLAG_TEXT,   /* const char * */
    CLI_FLAG_LIST,   /* cli_list: each time it is given adds a text */
    CLI_FLAG_COUNT,  /* uint32_t, 1 to count_max */
    CLI_FLAG_ID,     /* int64_t, above 0 */
    CLI_FLAG_NUMBER, /* double, finite */
    CLI_FLAG_SCORE,  /* cli_score */
    CLI_FLAG_CHOICE  /* uint32_t, 1 for the first of the names in `value`, as the header counts */
} cli_flag_kind;

/* One flag. A flag that means different things to two commands stands in the table twice. */
typedef struct cli_flag {
    const char *name; /* without "--"; NULL when it has only a letter */
    char letter;      /* 0 when it has only a name */
    cli_flag_kind kind;
    const char *value; /* placeholder in the help; names joined by '|' for a CHOICE */
    uint32_t count_max;
    uint32_t commands; /* bits of the commands that take it */
    size_t offset;     /* of its field in cli_options */
    const char *help;
} cli_flag;

typedef struct cli_list {
    const char **texts; /* freed by cli_options_free */
    size_t count;
} cli_list;

/* A score: a number, or the name of a level that was calibrated. */
typedef struct cli_score {
    double number;  /* NaN: not given */
    uint32_t level; /* IMGRET_LIKENESS_*; 0: none */
} cli_score;

/* What the command line said. Text points into argv; `words` is freed by cli_options_free. */
struct cli_options {
    const cli_command *command; /* NULL for a bare --help or --version */
    const char *db;             /* the first word: a database, for commands whose usage says DB */
    const char **words;         /* after DB */
    size_t word_count;
    bool help;
    bool version;
    bool json;
    bool quiet;
    bool verbose;
    bool null;
    bool retry_failed;
    bool no_recurse;
    bool failed;
    const char *model;
    const char *plugin_path;
    const char *files_from;
    const char *html;
    const char *where;
    cli_list params; /* "NAME=VALUE" */
    uint32_t threads;
    uint32_t metric;
    uint32_t vector_type;
    uint32_t k;
    int64_t id; /* 0: not given */
    cli_score min_score;
    bool force;
    uint32_t memory_mib; /* 0: no limit */
    const char *output;
    uint32_t dimension;
    uint32_t sample;
    uint32_t seed;
    bool whiten;
    uint32_t deadline_ms;
    double target_recall; /* NaN: not given */
    uint32_t effort;
    bool stats;
    bool estimated;
    const char *color;   /* "#c03020:2,white" */
    double color_weight; /* NaN: not given, as the next */
    double diversity;
    cli_list weights;  /* numbers, of the examples in their order */
    cli_list excluded; /* ids */
    const char *cursor;
    uint32_t candidates;
    bool best;
    bool assign;
    double confidence; /* NaN: not given */
    bool repair;
    bool drop_missing;
    bool isolate;
    const char *regions; /* NULL: not given, as the next */
    const char *box;     /* "X,Y,WIDTH,HEIGHT" */
    uint32_t region;     /* 0: not given */
    uint32_t search;     /* 0: not given; then IMGRET_SEARCH_* counted from 1 */
    bool object;
    bool group;
    uint32_t kind; /* 0: not given; then IMGRET_DUPLICATE_* */
    bool turned;
    bool different; /* --not */
    bool forget;
    const char *truth;
    bool folders;
    bool sync;
    bool watch;
    bool ann;
    const char *svg;
    uint32_t rerank;      /* 0: not given; then IMGRET_RERANK_* */
    double rerank_weight; /* NaN: not given */
    bool no_copies;
    bool clear;
};

/* The tables, for the help now and for whatever else is written from them. */
const cli_command *cli_commands(size_t *count);
const cli_flag *cli_flags(size_t *count);

/* Whether a flag is for every command. */
bool cli_flag_is_global(const cli_flag *flag);

/* Fills `out` from the command line; on an error says on stderr what is wrong, with the nearest
 * name for a mistyped one, and returns false. Free `out` in either case. */
bool cli_options_parse(cli_options *out, int argc, char **argv);
void cli_options_free(cli_options *options);

#endif
