/* options.c: the table of commands and flags, and parsing by it. */
#include "options.h"

#include "commands.h"
#include "message.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CREATE = 1u << 0,
    ADD = 1u << 1,
    SEARCH = 1u << 2,
    SHOW = 1u << 3,
    REMOVE = 1u << 4,
    STATS = 1u << 5,
    CHECK = 1u << 6,
    HELP = 1u << 7,
    OPTIMIZE = 1u << 8,
    COMPLETIONS = 1u << 16,
    DUPS = 1u << 9,
    EVAL = 1u << 10,
    COMPARE = 1u << 11,
    CALIBRATE = 1u << 12,
    INDEX = 1u << 13,
    EXTRACT = 1u << 20,
    MODEL = 1u << 21,
    PCA = 1u << 22,
    BACKUP = 1u << 23,
    COUNT = 1u << 24,
    LABEL = 1u << 25,
    EXPORT = 1u << 26,
    IMPORT = 1u << 27,
    REEMBED = 1u << 28,
    ALL = 0xFFFFFFFFu
};

static const cli_command commands[] = {
    {"create", CREATE, 0, 0, "DB [--model SPEC] [--metric NAME] [--vectors TYPE]",
     "make an empty database",
     "  imgret create photos.imgret\n"
     "  imgret create photos.imgret --model vit.safetensors --metric cosine\n"
     "  imgret create things.imgret --regions 'detector:yolox.safetensors?score=0.4'\n",
     "  The model, metric, vector type and regions of a database never change. Without\n"
     "  --model it is 'classic', which needs no weights; without --regions only whole\n"
     "  pictures are searched.\n",
     cli_create},
    {"add", ADD, 0, SIZE_MAX, "DB PATH...", "take in pictures and folders of pictures",
     "  imgret add photos.imgret ~/Pictures\n"
     "  imgret add photos.imgret cat.jpg dog.png --json\n"
     "  find . -name '*.jpg' -print0 | imgret add photos.imgret --files-from - -0\n"
     "  imgret add photos.imgret ~/Pictures --sync\n",
     "  The database is made when it does not exist. What is there and unchanged is\n"
     "  not read again, so the same command goes on after an interrupt and picks up\n"
     "  new pictures. A picture that cannot be read is recorded with the reason and\n"
     "  not tried again until it changes.\n",
     cli_add},
    {"search", SEARCH, 0, SIZE_MAX, "DB IMAGE [+|- IMAGE]... | DB --id N | DB --color LIST",
     "find the pictures most alike to others, or of some colours",
     "  imgret search photos.imgret cat.jpg\n"
     "  imgret search photos.imgret --id 42 -k 50 --html similar.html\n"
     "  imgret search photos.imgret cat.jpg --where \"blue > 0.3 AND taken_at > '2024'\"\n"
     "  imgret search photos.imgret day.jpg + snow.jpg - people.jpg --weight 2\n"
     "  imgret search photos.imgret --color '#c03020:2,white' -k 30\n"
     "  imgret search photos.imgret street.jpg --box 120,40,200,180 --search objects\n"
     "  curl -s https://example.org/cat.jpg | imgret search photos.imgret - --json\n",
     "  IMAGE is a picture file, or - for the bytes of a picture on stdin. Examples\n"
     "  after + are wished for, after - not; a single + or - stands between them.\n",
     cli_search},
    {"count", COUNT, 0, 0, "DB [--where EXPR]", "count pictures",
     "  imgret count photos.imgret --where \"label = 'cat' AND label_score > 0.8\"\n", "",
     cli_count},
    {"show", SHOW, 0, SIZE_MAX, "DB [ID|PATH...]", "show what is recorded of pictures, or of all",
     "  imgret show photos.imgret\n"
     "  imgret show photos.imgret 42 ~/Pictures/cat.jpg --json\n"
     "  imgret show photos.imgret --failed\n"
     "  imgret show photos.imgret --where \"camera_model = :c\" --param c=X100\n",
     "  A word of digits is an id; write ./42 for a file of that name.\n", cli_show},
    {"remove", REMOVE, 1, SIZE_MAX, "DB ID|PATH...",
     "take pictures out of the database; files stay",
     "  imgret remove photos.imgret 42\n"
     "  imgret remove photos.imgret ~/Pictures/cat.jpg\n",
     "  A word of digits is an id; write ./42 for a file of that name.\n", cli_remove},
    {"optimize", OPTIMIZE, 0, 0, "DB [--force] [--memory MIB]",
     "index what was added, so that searches stay fast",
     "  imgret optimize photos.imgret\n"
     "  imgret optimize photos.imgret --force --memory 500\n",
     "  Moves vectors from memory into an index on disk, merges such indexes and\n"
     "  erases what was removed. Does nothing while there is too little to pay.\n",
     cli_optimize},
    {"index", INDEX, 0, 2, "DB [add|drop EXPR]", "list, make or drop indexes for filters",
     "  imgret index photos.imgret\n"
     "  imgret index photos.imgret add \"meta->>'camera'\"\n"
     "  imgret index photos.imgret drop width\n",
     "  A filter that compares EXPR with a value then touches only what matches. EXPR\n"
     "  is a key or path of the metadata, as the filter writes it, or a column; label,\n"
     "  color, taken_at and some others always have an index. Releases that know no\n"
     "  such indexes refuse the database until the last is dropped.\n",
     cli_index},
    {"stats", STATS, 0, 0, "DB", "show how much there is, and the database's settings",
     "  imgret stats photos.imgret\n", "", cli_stats},
    {"check", CHECK, 0, 0, "DB [--repair]", "read the whole database and report what is wrong",
     "  imgret check photos.imgret\n"
     "  imgret check photos.imgret --repair\n",
     "  --repair makes damaged parts of the index anew. A picture whose vector is\n"
     "  lost is read again, or listed and recorded as failed. A damaged catalogue is\n"
     "  made anew of all that can be read; nobody may have the database open then.\n",
     cli_check},
    {"extract", EXTRACT, 0, SIZE_MAX, "IMAGE... --output FILE | --json",
     "write the vectors of pictures, without a database",
     "  imgret extract --model vit.safetensors *.jpg -o vectors.npy\n"
     "  imgret extract cat.jpg dog.jpg --json\n",
     "  FILE ends in .npy (NumPy) or .fbin (count, dimension, floats): a row for each\n"
     "  picture, as they are given. One that cannot be read gives a row of zeros and\n"
     "  exit status 3.\n",
     cli_extract},
    {"model", MODEL, 1, SIZE_MAX, "inspect|bench|compare SPEC...",
     "show what a file of weights is, how fast, how exact",
     "  imgret model inspect vit.safetensors\n"
     "  imgret model inspect 'torch:vit.safetensors;pool=avg' --json\n"
     "  imgret model bench vit.safetensors\n"
     "  imgret model compare vit.safetensors vit.golden.safetensors\n",
     "  Two models of the same identity give the same vectors. The file to compare\n"
     "  with holds the tensors pixels, embedding and perhaps logits; exit status 1\n"
     "  when a cosine is below 0.999.\n",
     cli_model},
    {"pca", PCA, 1, SIZE_MAX, "train PATH... --output FILE [--dim N] [--whiten]",
     "learn to project vectors to fewer dimensions",
     "  imgret pca train --model vit.safetensors --dim 128 ~/Pictures -o vit.pca\n"
     "  imgret pca train photos.imgret --dim 64 --whiten -o small.pca\n"
     "  imgret create small.imgret --model 'torch:vit.safetensors;pca=vit.pca'\n",
     "  PATH is a database whose vectors are the sample, or pictures and folders of\n"
     "  them, of which --sample are chosen at random; the same --seed, the same ones.\n",
     cli_pca},
    {"backup", BACKUP, 1, 1, "DB TO", "copy a database, also one in use, to a new folder",
     "  imgret backup photos.imgret /mnt/disk/photos-2026-01-31.imgret\n",
     "  TO must not exist. It appears when the copy is complete, and is a database\n"
     "  like any other: to restore it, use it, or copy it back.\n",
     cli_backup},
    {"label", LABEL, 0, SIZE_MAX, "DB NAME IMAGE|ID... [--assign] | DB --clear [ID|PATH...]",
     "find the pictures that a few examples stand for, and label them",
     "  imgret label photos.imgret cat 17 42 ~/Pictures/tom.jpg\n"
     "  imgret label photos.imgret cat 17 42 ~/Pictures/tom.jpg --assign\n"
     "  imgret search photos.imgret a.jpg --where \"label = 'cat' AND label_score > .9\"\n"
     "  imgret label photos.imgret --clear --where \"label = 'cat'\"\n",
     "  Learns from the examples and lists what they fit. With --assign that is stored\n"
     "  as their label, and examples that are in the database count as certain, now\n"
     "  and in later runs. A word of digits is an id; write ./42 for a file. --clear\n"
     "  takes labels away: of the named pictures, or of those that match --where.\n",
     cli_label},
    {"dups", DUPS, 0, 2, "DB [--kind KIND] [--turned] | DB --not A B",
     "find pictures that show the same, and which to keep",
     "  imgret dups photos.imgret\n"
     "  imgret dups photos.imgret --turned --json\n"
     "  imgret dups photos.imgret --kind similar --min-score 0.93\n"
     "  imgret dups photos.imgret --kind identical -0 | xargs -0 rm --\n"
     "  imgret dups photos.imgret --not 17 42\n",
     "  Of each group the first is the one to keep. Kinds are identical (the same\n"
     "  bytes), near (the same picture, resized, encoded anew, grey, cut a little: the\n"
     "  default shows both) and similar. --not says that A and B, ids or paths, are no\n"
     "  duplicates.\n",
     cli_dups},
    {"eval", EVAL, 0, 0, "DB [--truth FILE | --folders] | DB --ann",
     "measure how good the answers are",
     "  imgret eval photos.imgret --truth labels.tsv --svg curve.svg\n"
     "  imgret eval photos.imgret --folders --json\n"
     "  imgret eval photos.imgret --ann -k 10\n",
     "  Asks with every picture that has a class (in FILE: path, tab, label; else the\n"
     "  name of its folder; else its label in the database): results of its class are\n"
     "  right. --ann asks how many of the nearest vectors the index finds, by effort.\n",
     cli_eval},
    {"compare", COMPARE, 1, 1, "A B [--truth FILE | --folders]",
     "tell which of two databases of the same pictures answers better",
     "  imgret compare classic.imgret vit.imgret --folders\n",
     "  Prints measure, A, B, B - A with its 95% interval, and the probability p of a\n"
     "  difference so great if the two were equally good (randomisation test).\n",
     cli_compare_databases},
    {"calibrate", CALIBRATE, 0, 0, "DB [--sample N] [--no-copies]",
     "learn what scores mean: the same, near, similar",
     "  imgret calibrate photos.imgret\n"
     "  imgret search photos.imgret cat.jpg --min-score near\n"
     "  imgret dups photos.imgret --kind similar\n",
     "  Compares pictures at random, each with its nearest, and with copies that it\n"
     "  makes of them. What it finds is stored for --min-score and dups; another model\n"
     "  needs it again, which 'reembed' sees to.\n",
     cli_calibrate},
    {"export", EXPORT, 1, 1, "DB TO", "write all of a database in forms that other programs read",
     "  imgret export photos.imgret photos-export\n"
     "  jq .uri photos-export/images.ndjson\n",
     "  Makes the folder TO with images.ndjson, vectors.npy and manifest.json.\n", cli_export},
    {"import", IMPORT, 1, 1, "DB FROM", "make a new database of what 'export' wrote",
     "  imgret import copy.imgret photos-export\n",
     "  DB must not exist. It appears when all is imported and checked.\n", cli_import},
    {"reembed", REEMBED, 0, 0, "DB --model SPEC [--drop-missing]",
     "move a database to another model",
     "  imgret reembed photos.imgret --model dinov2.safetensors\n",
     "  Reads every picture again; meanwhile the database answers with the old model.\n"
     "  The same command goes on after an interrupt. Where pictures cannot be read any\n"
     "  more it lists them and changes nothing, unless --drop-missing says otherwise.\n",
     cli_reembed},
    {"completions", COMPLETIONS, 0, 0, "bash|zsh|fish|man",
     "print what a shell needs to complete, or the manual page",
     "  imgret completions bash > ~/.local/share/bash-completion/completions/imgret\n"
     "  imgret completions zsh > ~/.zfunc/_imgret\n"
     "  imgret completions fish > ~/.config/fish/completions/imgret.fish\n"
     "  imgret completions man | man -l -\n",
     "", cli_completions},
    {"help", HELP, 0, 0, "[COMMAND]", "explain the commands, or one of them", "  imgret help add\n",
     "", NULL},
};

#define FIELD(name) offsetof(cli_options, name)

static const cli_flag flags[] = {
    {"metric", 0, CLI_FLAG_CHOICE, "cosine|ip|l2", 0, CREATE, FIELD(metric),
     "how alike two vectors are (default cosine)"},
    {"vectors", 0, CLI_FLAG_CHOICE, "f16|f32", 0, CREATE, FIELD(vector_type),
     "precision vectors are stored in (default f16)"},
    {"regions", 0, CLI_FLAG_TEXT, "SPEC", 0, CREATE | ADD, FIELD(regions),
     "also find parts: center, grid=3x3, detector:FILE"},
    {"isolate", 0, CLI_FLAG_SWITCH, NULL, 0, ADD | SEARCH | REEMBED, FIELD(isolate),
     "decode strangers' pictures in confined processes"},
    {"files-from", 0, CLI_FLAG_TEXT, "FILE", 0, ADD, FIELD(files_from),
     "also add the paths in FILE, one a line; - is stdin"},
    {"null", '0', CLI_FLAG_SWITCH, NULL, 0, ADD, FIELD(null),
     "paths in --files-from end in NUL, not in newline"},
    {"retry-failed", 0, CLI_FLAG_SWITCH, NULL, 0, ADD, FIELD(retry_failed),
     "try pictures again that failed and did not change"},
    {"sync", 0, CLI_FLAG_SWITCH, NULL, 0, ADD, FIELD(sync),
     "also follow moved files, forget those that went"},
    {"watch", 0, CLI_FLAG_SWITCH, NULL, 0, ADD, FIELD(watch),
     "--sync, again at every change until interrupted"},
    {"force", 0, CLI_FLAG_SWITCH, NULL, 0, ADD, FIELD(force),
     "--sync even if a PATH is missing or empty"},
    {"no-recurse", 0, CLI_FLAG_SWITCH, NULL, 0, ADD, FIELD(no_recurse),
     "do not enter folders inside the given ones"},
    {"id", 0, CLI_FLAG_ID, "N", 0, SEARCH, FIELD(id),
     "look for what is like the database's picture N"},
    {NULL, 'k', CLI_FLAG_COUNT, "N", 1000000, SEARCH, FIELD(k), "at most N results (default 10)"},
    {NULL, 'k', CLI_FLAG_COUNT, "N", 1000000, EVAL | COMPARE, FIELD(k),
     "the first N results (default 1000; 10 with --ann)"},
    {"truth", 0, CLI_FLAG_TEXT, "FILE", 0, EVAL | COMPARE, FIELD(truth),
     "classes of pictures: path, tab, label in each line"},
    {"folders", 0, CLI_FLAG_SWITCH, NULL, 0, EVAL | COMPARE, FIELD(folders),
     "the class of a picture is the name of its folder"},
    {"ann", 0, CLI_FLAG_SWITCH, NULL, 0, EVAL, FIELD(ann),
     "compare the index with exact search instead"},
    {"svg", 0, CLI_FLAG_TEXT, "FILE", 0, EVAL, FIELD(svg),
     "draw the precision-recall curve into the new FILE"},
    {"sample", 0, CLI_FLAG_COUNT, "N", 10000000, EVAL | COMPARE, FIELD(sample),
     "ask with N at random (default all; 200 with --ann)"},
    {"sample", 0, CLI_FLAG_COUNT, "N", 100000, CALIBRATE, FIELD(sample),
     "look at N pictures (default 1000)"},
    {"no-copies", 0, CLI_FLAG_SWITCH, NULL, 0, CALIBRATE, FIELD(no_copies),
     "do not read picture files"},
    {"seed", 0, CLI_FLAG_COUNT, "N", UINT32_MAX, EVAL | COMPARE, FIELD(seed),
     "of the random choice among pictures (default 1)"},
    {"min-score", 0, CLI_FLAG_SCORE, "S", 0, SEARCH | DUPS, FIELD(min_score),
     "only from this score; or same, near, similar"},
    {"effort", 0, CLI_FLAG_COUNT, "N", 1000000, SEARCH, FIELD(effort),
     "candidates that a search keeps: more finds more"},
    {"target-recall", 0, CLI_FLAG_NUMBER, "R", 0, SEARCH, FIELD(target_recall),
     "find this share of the nearest, 0.5 to 0.9999"},
    {"deadline", 0, CLI_FLAG_COUNT, "MS", UINT32_MAX, SEARCH, FIELD(deadline_ms),
     "print what is found after so many milliseconds"},
    {"estimated", 0, CLI_FLAG_SWITCH, NULL, 0, SEARCH, FIELD(estimated),
     "spare reads: scores may be estimates"},
    {"stats", 0, CLI_FLAG_SWITCH, NULL, 0, SEARCH, FIELD(stats), "also say what the search did"},
    {"force", 0, CLI_FLAG_SWITCH, NULL, 0, OPTIMIZE, FIELD(force), "also when it would hardly pay"},
    {"drop-missing", 0, CLI_FLAG_SWITCH, NULL, 0, REEMBED, FIELD(drop_missing),
     "record pictures that cannot be read as failed"},
    {"memory", 0, CLI_FLAG_COUNT, "MIB", UINT32_MAX, OPTIMIZE, FIELD(memory_mib),
     "most memory to take; less is slower"},
    {"repair", 0, CLI_FLAG_SWITCH, NULL, 0, CHECK, FIELD(repair),
     "make damaged parts of the index anew, then check"},
    {"box", 0, CLI_FLAG_TEXT, "X,Y,W,H", 0, SEARCH, FIELD(box),
     "look for what is in this part of IMAGE, in pixels"},
    {"object", 0, CLI_FLAG_SWITCH, NULL, 0, SEARCH, FIELD(object),
     "look for the main object of IMAGE or --id"},
    {"region", 0, CLI_FLAG_COUNT, "N", 255, SEARCH, FIELD(region),
     "look for object N of --id, as show numbers them"},
    {"search", 0, CLI_FLAG_CHOICE, "whole|objects|both", 0, SEARCH, FIELD(search),
     "what to compare (default whole pictures)"},
    {"group", 0, CLI_FLAG_SWITCH, NULL, 0, SEARCH, FIELD(group),
     "each picture once, with its best object"},
    {"html", 0, CLI_FLAG_TEXT, "FILE", 0, SEARCH, FIELD(html),
     "also write a contact sheet, one HTML page"},
    {"where", 0, CLI_FLAG_TEXT, "EXPR", 0, SEARCH | SHOW | COUNT | LABEL | DUPS, FIELD(where),
     "only pictures that match this SQL expression"},
    {"param", 0, CLI_FLAG_LIST, "NAME=VALUE", 0, SEARCH | SHOW | COUNT | LABEL | DUPS,
     FIELD(params), "the value of :NAME in --where"},
    {"weight", 0, CLI_FLAG_LIST, "W", 0, SEARCH, FIELD(weights),
     "how much example 1 counts; again for the next"},
    {"best", 0, CLI_FLAG_SWITCH, NULL, 0, SEARCH, FIELD(best),
     "count by the most alike example, not their mean"},
    {"color", 0, CLI_FLAG_TEXT, "LIST", 0, SEARCH, FIELD(color),
     "of these colours: '#c03020', 'red:2,white:1'"},
    {"color-weight", 0, CLI_FLAG_NUMBER, "W", 0, SEARCH, FIELD(color_weight),
     "of --color beside an example, 0 to 1 (default 0.5)"},
    {"exclude", 0, CLI_FLAG_LIST, "ID", 0, SEARCH, FIELD(excluded),
     "leave out the picture ID; again for more"},
    {"diversity", 0, CLI_FLAG_NUMBER, "D", 0, SEARCH, FIELD(diversity),
     "0 to 1: how much results should differ"},
    {"candidates", 0, CLI_FLAG_COUNT, "N", 1000000, SEARCH, FIELD(candidates),
     "pictures that --diversity, --color, --rerank see"},
    {"rerank", 0, CLI_FLAG_CHOICE, "color|geometry", 0, SEARCH, FIELD(rerank),
     "also rank by colours, or by what lies where"},
    {"rerank-weight", 0, CLI_FLAG_NUMBER, "W", 0, SEARCH, FIELD(rerank_weight),
     "of --rerank, 0 to 1 (default 0.5)"},
    {"cursor", 0, CLI_FLAG_TEXT, "CURSOR", 0, SEARCH, FIELD(cursor),
     "a page: 'first', then what the page before told"},
    {"assign", 0, CLI_FLAG_SWITCH, NULL, 0, LABEL, FIELD(assign),
     "store the label of the pictures that it fits"},
    {"clear", 0, CLI_FLAG_SWITCH, NULL, 0, LABEL, FIELD(clear), "take labels away instead"},
    {"confidence", 0, CLI_FLAG_NUMBER, "C", 0, LABEL, FIELD(confidence),
     "the least that fits, 0 to 1 (default 0.8)"},
    {"failed", 0, CLI_FLAG_SWITCH, NULL, 0, SHOW, FIELD(failed),
     "only pictures that cannot be read, with the reason"},
    {"output", 'o', CLI_FLAG_TEXT, "FILE", 0, EXTRACT | PCA, FIELD(output), "write to FILE"},
    {"dim", 0, CLI_FLAG_COUNT, "N", 65536, PCA, FIELD(dimension),
     "dimensions to keep (default 128)"},
    {"whiten", 0, CLI_FLAG_SWITCH, NULL, 0, PCA, FIELD(whiten),
     "give every kept dimension the same variance"},
    {"sample", 0, CLI_FLAG_COUNT, "N", 10000000, PCA, FIELD(sample),
     "learn from at most N vectors (default 20000)"},
    {"seed", 0, CLI_FLAG_COUNT, "N", UINT32_MAX, PCA, FIELD(seed),
     "of the random choice among pictures (default 1)"},
    {"null", '0', CLI_FLAG_SWITCH, NULL, 0, SEARCH | SHOW, FIELD(null),
     "print only paths, each ended by NUL (for xargs -0)"},
    {"null", '0', CLI_FLAG_SWITCH, NULL, 0, DUPS, FIELD(null),
     "only paths of what is not to keep, each with NUL"},
    {"kind", 0, CLI_FLAG_CHOICE, "identical|near|similar", 0, DUPS, FIELD(kind),
     "up to which kind of likeness (default near)"},
    {"turned", 0, CLI_FLAG_SWITCH, NULL, 0, DUPS, FIELD(turned),
     "also what is mirrored or turned by quarters"},
    {"not", 0, CLI_FLAG_SWITCH, NULL, 0, DUPS, FIELD(different),
     "remember that two pictures are no duplicates"},
    {"forget", 0, CLI_FLAG_SWITCH, NULL, 0, DUPS, FIELD(forget),
     "forget what --not said of two pictures"},
    {"json", 0, CLI_FLAG_SWITCH, NULL, 0, ALL, FIELD(json), "print one JSON object a line"},
    {"model", 0, CLI_FLAG_TEXT, "SPEC", 0, ALL, FIELD(model),
     "classic, vectors:N, or a file of weights"},
    {"plugin-path", 0, CLI_FLAG_TEXT, "DIRS", 0, ALL, FIELD(plugin_path),
     "look for backend plugins in these folders first"},
    {"threads", 0, CLI_FLAG_COUNT, "N", 1024, ALL, FIELD(threads),
     "use N threads (default: all CPUs)"},
    {"quiet", 'q', CLI_FLAG_SWITCH, NULL, 0, ALL, FIELD(quiet),
     "no progress, no notes; errors stay"},
    {"verbose", 'v', CLI_FLAG_SWITCH, NULL, 0, ALL, FIELD(verbose), "say on stderr what is done"},
    {"help", 'h', CLI_FLAG_SWITCH, NULL, 0, ALL, FIELD(help), "explain the command"},
    {"version", 'V', CLI_FLAG_SWITCH, NULL, 0, ALL, FIELD(version), "print the version"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])
#define FLAG_COUNT (sizeof flags / sizeof flags[0])

const cli_command *cli_commands(size_t *count)
{
    *count = COMMAND_COUNT;
    return commands;
}

const cli_flag *cli_flags(size_t *count)
{
    *count = FLAG_COUNT;
    return flags;
}

bool cli_flag_is_global(const cli_flag *flag)
{
    return flag->commands == ALL;
}

#define NAME_BYTES_MAX 32

/* Levenshtein distance; names longer than any of ours are far from all of them. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes > NAME_BYTES_MAX || b_bytes > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < edit ? change : edit;
        }
    }
    return row[b_bytes];
}

/* Keeps `name` in *best when it is nearer to what was typed than anything before. */
static void consider(const char *typed, const char *name, const char **best, size_t *best_distance)
{
    bool starts = typed[0] && !strncmp(typed, name, strlen(typed));
    size_t apart = starts ? 0 : distance(typed, name);
    if (apart < *best_distance && apart < strlen(name)) {
        *best = name;
        *best_distance = apart;
    }
}

#define DISTANCE_LIMIT 3 /* with three slips it is another word */

static bool fail_unknown_command(const char *typed)
{
    const char *best = NULL;
    size_t best_distance = DISTANCE_LIMIT;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        consider(typed, commands[i].name, &best, &best_distance);
    if (best)
        cli_error("'%s' is no command; did you mean '%s'? See 'imgret help'", typed, best);
    else
        cli_error("'%s' is no command; see 'imgret help'", typed);
    return false;
}

static bool fail_unknown_flag(const cli_options *options, const char *typed)
{
    const char *best = NULL;
    size_t best_distance = DISTANCE_LIMIT;
    uint32_t bits = options->command ? options->command->bit : ALL;
    for (size_t i = 0; i < FLAG_COUNT; i++)
        if (flags[i].name && (flags[i].commands & bits))
            consider(typed, flags[i].name, &best, &best_distance);
    const char *space = options->command ? " " : "";
    const char *name = options->command ? options->command->name : "";
    if (best)
        cli_error("unknown flag '--%s'; did you mean '--%s'? See 'imgret%s%s --help'", typed, best,
                  space, name);
    else
        cli_error("unknown flag '--%s'; see 'imgret%s%s --help'", typed, space, name);
    return false;
}

/* "--name" or "-x" as it is called in messages. */
static const char *flag_title(const cli_flag *flag, char title[NAME_BYTES_MAX])
{
    size_t at = 0;
    title[at++] = '-';
    if (flag->name) {
        title[at++] = '-';
        for (const char *from = flag->name; *from && at + 1 < NAME_BYTES_MAX; from++)
            title[at++] = *from;
    } else {
        title[at++] = flag->letter;
    }
    title[at] = '\0';
    return title;
}

/* A whole number from 1 to `max`, or 0. */
static int64_t parse_whole(const char *text, int64_t max)
{
    if (text[0] < '0' || text[0] > '9')
        return 0;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno || *end || value > max ? 0 : (int64_t)value;
}

/* The place of `text` among names joined by '|', counted from 1; 0 when it is none of them. */
static uint32_t parse_choice(const char *text, const char *names)
{
    size_t bytes = strlen(text);
    for (uint32_t place = 1;; place++) {
        size_t name_bytes = strcspn(names, "|");
        if (bytes == name_bytes && !memcmp(text, names, bytes))
            return place;
        if (!names[name_bytes])
            return 0;
        names += name_bytes + 1;
    }
}

static bool parse_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

/* A number, or the name of a level. */
static bool parse_score(const char *text, cli_score *out)
{
    *out = (cli_score){.number = NAN, .level = parse_choice(text, "similar|near|same")};
    return out->level || parse_number(text, &out->number);
}

static bool add_to_list(cli_list *list, const char *text)
{
    const char **more = realloc(list->texts, (list->count + 1) * sizeof *more);
    if (!more) {
        cli_error("out of memory");
        return false;
    }
    list->texts = more;
    list->texts[list->count++] = text;
    return true;
}

static bool set_value(cli_options *options, const cli_flag *flag, const char *text)
{
    char title[NAME_BYTES_MAX];
    char *field = (char *)options + flag->offset;
    int64_t whole = 0;
    double number = 0;
    switch (flag->kind) {
    case CLI_FLAG_SWITCH:
        *(bool *)(void *)field = true;
        return true;
    case CLI_FLAG_TEXT:
        *(const char **)(void *)field = text;
        if (!text[0])
            cli_error("%s wants %s, not an empty text", flag_title(flag, title), flag->value);
        return text[0] != '\0';
    case CLI_FLAG_LIST:
        return add_to_list((cli_list *)(void *)field, text);
    case CLI_FLAG_COUNT:
        whole = parse_whole(text, flag->count_max);
        *(uint32_t *)(void *)field = (uint32_t)whole;
        if (!whole)
            cli_error("%s wants a whole number from 1 to %u, not '%s'", flag_title(flag, title),
                      flag->count_max, text);
        return whole != 0;
    case CLI_FLAG_ID:
        whole = parse_whole(text, INT64_MAX);
        *(int64_t *)(void *)field = whole;
        if (!whole)
            cli_error("%s wants the id of a picture, not '%s'", flag_title(flag, title), text);
        return whole != 0;
    case CLI_FLAG_NUMBER:
        if (!parse_number(text, &number)) {
            cli_error("%s wants a number, not '%s'", flag_title(flag, title), text);
            return false;
        }
        *(double *)(void *)field = number;
        return true;
    case CLI_FLAG_SCORE:
        if (parse_score(text, (cli_score *)(void *)field))
            return true;
        cli_error("%s wants a number or one of same, near, similar, not '%s'",
                  flag_title(flag, title), text);
        return false;
    case CLI_FLAG_CHOICE:
        whole = parse_choice(text, flag->value);
        *(uint32_t *)(void *)field = (uint32_t)whole;
        if (!whole)
            cli_error("%s is one of %s, not '%s'", flag_title(flag, title), flag->value, text);
        return whole != 0;
    }
    return false;
}

/* The flag of this command by name or letter; before the command is known, of any command. */
static const cli_flag *find_flag(const cli_options *options, const char *name, size_t name_bytes,
                                 char letter)
{
    uint32_t bits = options->command ? options->command->bit : ALL;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const cli_flag *flag = &flags[i];
        if (!(flag->commands & bits))
            continue;
        if (letter ? flag->letter == letter
                   : flag->name && strlen(flag->name) == name_bytes &&
                         !memcmp(flag->name, name, name_bytes))
            return flag;
    }
    return NULL;
}

static bool fail_no_value(const cli_flag *flag)
{
    char title[NAME_BYTES_MAX];
    cli_error("%s wants a value: %s", flag_title(flag, title), flag->value);
    return false;
}

/* "--name", "--name=value" or "--name value"; *at moves past what was used. */
static bool parse_long(cli_options *options, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    size_t name_bytes = strcspn(name, "=");
    const cli_flag *flag = find_flag(options, name, name_bytes, 0);
    if (!flag) {
        char typed[NAME_BYTES_MAX];
        if (name_bytes >= sizeof typed)
            name_bytes = sizeof typed - 1;
        memcpy(typed, name, name_bytes);
        typed[name_bytes] = '\0';
        return fail_unknown_flag(options, typed);
    }
    const char *value = name[name_bytes] ? name + name_bytes + 1 : NULL;
    if (flag->kind == CLI_FLAG_SWITCH) {
        if (value)
            cli_error("--%s takes no value", flag->name);
        return !value && set_value(options, flag, "");
    }
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    return value ? set_value(options, flag, value) : fail_no_value(flag);
}

/* "-q", "-qv", "-k5" or "-k 5". */
static bool parse_short(cli_options *options, int argc, char **argv, int *at)
{
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const cli_flag *flag = find_flag(options, NULL, 0, *letter);
        if (!flag) {
            cli_error("unknown flag '-%c'; see 'imgret%s%s --help'", *letter,
                      options->command ? " " : "", options->command ? options->command->name : "");
            return false;
        }
        if (flag->kind == CLI_FLAG_SWITCH) {
            set_value(options, flag, "");
            continue;
        }
        const char *value = letter[1] ? letter + 1 : NULL;
        if (!value && *at + 1 < argc)
            value = argv[++*at];
        return value ? set_value(options, flag, value) : fail_no_value(flag);
    }
    return true;
}

/* The command of this name, or NULL. */
static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* A word that is no flag: the command, then DB, then the rest. */
static bool take_word(cli_options *options, const char *word)
{
    if (options->command && options->command->bit == HELP)
        options->help = true;
    if (!options->command || options->command->bit == HELP) {
        const cli_command *command = find_command(word);
        if (command)
            options->command = command;
        return command || fail_unknown_command(word);
    }
    if (!options->db)
        options->db = word;
    else
        options->words[options->word_count++] = word;
    return true;
}

/* What the first missing word would have been. */
static const char *missing_word(const cli_options *options)
{
    if (strncmp(options->command->usage, "DB", 2) == 0)
        return options->db ? "picture" : "database";
    if (options->command->bit == COMPLETIONS)
        return "shell";
    return options->command->bit == MODEL ? "model" : "picture";
}

static bool check_words(const cli_options *options)
{
    const cli_command *command = options->command;
    if (!command || options->help || options->version || command->bit == HELP)
        return true;
    bool few = !options->db || options->word_count < command->word_count_min;
    bool many = options->word_count > command->word_count_max;
    if (few)
        cli_error("no %s given; usage: imgret %s %s", missing_word(options), command->name,
                  command->usage);
    else if (many)
        cli_error("'%s' is too much; usage: imgret %s %s", options->words[command->word_count_max],
                  command->name, command->usage);
    return !few && !many;
}

bool cli_options_parse(cli_options *out, int argc, char **argv)
{
    *out = (cli_options){.min_score = {.number = NAN},
                         .rerank_weight = NAN,
                         .target_recall = NAN,
                         .color_weight = NAN,
                         .diversity = NAN,
                         .confidence = NAN};
    out->words = calloc((size_t)argc + 1, sizeof *out->words);
    if (!out->words) {
        cli_error("out of memory");
        return false;
    }
    bool flags_end = false;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        bool good;
        if (flags_end || word[0] != '-' || !word[1])
            good = take_word(out, word);
        else if (word[1] != '-')
            good = parse_short(out, argc, argv, &at);
        else if (word[2])
            good = parse_long(out, argc, argv, &at);
        else
            good = flags_end = true;
        if (!good)
            return false;
    }
    return check_words(out);
}

void cli_options_free(cli_options *options)
{
    free(options->params.texts);
    free(options->weights.texts);
    free(options->excluded.texts);
    options->params = (cli_list){0};
    free(options->words);
    options->words = NULL;
}
