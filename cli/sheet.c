/* sheet.c: writes a search's results as one self-contained HTML page. */
#include "sheet.h"

#include "message.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PICTURE_BYTES_MAX (4 << 20)
#define PAGE_BYTES_MAX ((uint64_t)256 << 20) /* what a browser still opens; base64 adds a third */

static const char style[] =
    ":root{color-scheme:light dark;--page:#f4f4f1;--card:#fff;--well:#e9e9e4;--ink:#1c1d1f;"
    "--soft:#6b6e73;--line:#dcdcd6;--mark:#2f6f5e}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#141517;--card:#1e2023;--well:#17181a;"
    "--ink:#e9e9e6;--soft:#9a9da3;--line:#2e3135;--mark:#6fc3a8}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1400px;padding:32px 28px 48px;background:var(--page);"
    "color:var(--ink);font:15px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',"
    "sans-serif}\n"
    "header{display:flex;flex-wrap:wrap;gap:28px;align-items:flex-end;margin-bottom:28px;"
    "padding-bottom:28px;border-bottom:1px solid var(--line)}\n"
    "header .well{min-width:240px;max-width:100%;height:320px;border-radius:10px;"
    "overflow:hidden}\n"
    "header div.about{flex:1 1 280px;min-width:0}\n"
    "header p{margin:0;color:var(--soft)}\n"
    "h1{margin:2px 0 8px;font-size:26px;line-height:1.2;font-weight:650;overflow-wrap:anywhere}\n"
    "main{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:18px}\n"
    "figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "overflow:hidden}\n"
    ".well{position:relative;display:flex;align-items:center;justify-content:center;background:var(--well)}\n"
    "figure .well{aspect-ratio:4/3}\n"
    ".well img{width:100%;height:100%;object-fit:contain;display:block}\n"
    "header .well img{width:auto;max-width:100%}\n"
    ".well svg{position:absolute;inset:0;width:100%;height:100%}\n"
    ".well rect{fill:none;stroke:var(--mark);stroke-width:3;vector-effect:non-scaling-stroke}\n"
    ".none{padding:16px;text-align:center;color:var(--soft);font-size:13px;"
    "overflow-wrap:anywhere}\n"
    ".none b{display:block;font-size:20px;letter-spacing:.06em;margin-bottom:4px}\n"
    "figcaption{padding:9px 12px 11px}\n"
    ".line{display:flex;justify-content:space-between;font-variant-numeric:tabular-nums}\n"
    ".rank{color:var(--soft)}\n"
    ".score{font-weight:600}\n"
    ".bar{height:3px;margin:5px 0 7px;border-radius:2px;background:var(--well)}\n"
    ".bar i{display:block;height:100%;border-radius:2px;background:var(--mark)}\n"
    ".name{white-space:nowrap;overflow:hidden;text-overflow:ellipsis;font-size:13px;"
    "color:var(--soft)}\n"
    "a{color:inherit;text-decoration:none}a:hover{text-decoration:underline}\n";

/* A picture's encoded bytes, or why they cannot be shown. */
typedef struct shown {
    uint8_t *owned;
    const uint8_t *data;
    size_t bytes;
    const char *mime; /* NULL: not shown */
    char reason[96];
} shown;

static bool starts(const shown *picture, size_t offset, const char *magic)
{
    size_t bytes = strlen(magic);
    return picture->bytes >= offset + bytes && !memcmp(picture->data + offset, magic, bytes);
}

/* The formats that browsers draw, found from the content. */
static const char *browser_mime(const shown *picture)
{
    if (starts(picture, 0, "\xFF\xD8\xFF"))
        return "image/jpeg";
    if (starts(picture, 0, "\x89PNG\r\n\x1A\n"))
        return "image/png";
    if (starts(picture, 0, "GIF8"))
        return "image/gif";
    if (starts(picture, 0, "RIFF") && starts(picture, 8, "WEBP"))
        return "image/webp";
    if (starts(picture, 4, "ftypavif"))
        return "image/avif";
    if (starts(picture, 0, "BM"))
        return "image/bmp";
    return NULL;
}

static void refuse(shown *picture, const char *reason)
{
    picture->mime = NULL;
    snprintf(picture->reason, sizeof picture->reason, "%s", reason);
}

/* Judges the bytes in `picture`; *budget is what the page may still take. */
static void judge(shown *picture, uint64_t *budget)
{
    if (picture->bytes > PICTURE_BYTES_MAX) {
        snprintf(picture->reason, sizeof picture->reason, "%.1f MB, too large to embed",
                 (double)picture->bytes / 1e6);
        return;
    }
    if (picture->bytes > *budget) {
        refuse(picture, "the page is full");
        return;
    }
    picture->mime = browser_mime(picture);
    if (!picture->mime)
        refuse(picture, "browsers do not show this format");
    else
        *budget -= picture->bytes;
}

/* Reads the whole file into `picture`; false with errno set. */
static bool read_file(shown *picture, int fd, size_t bytes)
{
    picture->owned = malloc(bytes + 1);
    if (!picture->owned)
        return false;
    while (picture->bytes < bytes) {
        ssize_t got = read(fd, picture->owned + picture->bytes, bytes - picture->bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        picture->bytes += (size_t)got;
    }
    picture->data = picture->owned;
    return true;
}

/* The file's bytes if they can stand in the page; else the reason in `picture`. */
static void load(shown *picture, const char *path, uint64_t *budget)
{
    *picture = (shown){0};
    if (!path) {
        refuse(picture, "it has no file");
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        refuse(picture, errno == ENOENT ? "the file is gone" : strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        refuse(picture, "the path has no picture file");
    } else if (info.st_size > PICTURE_BYTES_MAX) {
        picture->bytes = (size_t)info.st_size;
        judge(picture, budget);
    } else if (!read_file(picture, fd, (size_t)info.st_size)) {
        refuse(picture, strerror(errno));
    } else {
        judge(picture, budget);
    }
    if (fd >= 0)
        close(fd);
}

static const char *last_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && slash[1] ? slash + 1 : path;
}

/* The picture, or a tile in its place. `title` is its name; its end tells the format. */
static void write_picture(FILE *out, const shown *picture, const char *title)
{
    if (picture->mime) {
        fputs("<img alt=\"", out);
        cli_text_html(out, title);
        fprintf(out, "\" src=\"data:%s;base64,", picture->mime);
        cli_base64(out, picture->data, picture->bytes);
        fputs("\">", out);
        return;
    }
    const char *dot = strrchr(title, '.');
    fputs("<div class=\"none\"><b>", out);
    cli_text_html(out, dot && dot[1] && strlen(dot) <= 6 ? dot + 1 : "no picture");
    fputs("</b>", out);
    cli_text_html(out, picture->reason);
    fputs("</div>", out);
}

/* The name, as a link to the file where there is one. */
static void write_name(FILE *out, const char *path, const char *name)
{
    bool is_file = path && path[0] == '/';
    if (is_file) {
        fputs("<a title=\"", out);
        cli_text_html(out, path);
        fputs("\" href=\"file://", out);
        cli_text_url(out, path);
        fputs("\">", out);
    }
    cli_text_html(out, name);
    if (is_file)
        fputs("</a>", out);
}

/* The object that was found, drawn over its picture, which is fitted into the same place. */
static void write_box(FILE *out, const imgret_hit *hit)
{
    if (hit->region == 0 || hit->width == 0 || hit->height == 0)
        return;
    fprintf(out, "<svg viewBox=\"0 0 %u %u\"><rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\">",
            hit->width, hit->height, hit->box_x, hit->box_y, hit->box_width, hit->box_height);
    if (hit->region_label) {
        fputs("<title>", out);
        cli_text_html(out, hit->region_label);
        fputs("</title>", out);
    }
    fputs("</rect></svg>", out);
}

static void write_hit(FILE *out, const cli_sheet *sheet, uint64_t index, uint64_t *budget)
{
    const imgret_hit *hit = imgret_results_at(sheet->results, index);
    char id_name[32];
    snprintf(id_name, sizeof id_name, "picture %" PRId64, hit->id);
    const char *name = hit->uri ? last_name(hit->uri) : id_name;
    shown picture;
    load(&picture, hit->uri, budget);
    fputs("<figure><div class=\"well\">", out);
    write_picture(out, &picture, name);
    if (picture.mime)
        write_box(out, hit);
    fprintf(out,
            "</div><figcaption><div class=\"line\"><span class=\"rank\">%" PRIu64
            "</span><span class=\"score\">%.4f</span></div>",
            index + 1, hit->score);
    if (sheet->metric == IMGRET_METRIC_COSINE) {
        double share = hit->score < 0 ? 0 : hit->score > 1 ? 1 : hit->score;
        fprintf(out, "<div class=\"bar\"><i style=\"width:%.1f%%\"></i></div>", share * 100);
    }
    fputs("<div class=\"name\">", out);
    write_name(out, hit->uri, name);
    fputs("</div></figcaption></figure>\n", out);
    free(picture.owned);
}

static const char *metric_words(uint32_t metric)
{
    return metric == IMGRET_METRIC_COSINE          ? "score: cosine, 1 is identical"
           : metric == IMGRET_METRIC_INNER_PRODUCT ? "score: inner product"
                                                   : "score: minus the distance, 0 is identical";
}

static void write_header(FILE *out, const cli_sheet *sheet, const char *name, uint64_t *budget)
{
    shown picture;
    if (sheet->query_data) {
        picture = (shown){.data = sheet->query_data, .bytes = sheet->query_bytes};
        judge(&picture, budget);
    } else {
        load(&picture, sheet->query_path, budget);
    }
    uint64_t count = imgret_results_count(sheet->results);
    fputs("<header><div class=\"well\">", out);
    write_picture(out, &picture, name);
    fputs("</div><div class=\"about\"><p>Pictures like</p><h1>", out);
    write_name(out, sheet->query_path, name);
    fprintf(out, "</h1><p>The nearest %" PRIu64 " of %" PRIu64 " pictures in ", count,
            sheet->image_count);
    cli_text_html(out, sheet->database);
    fprintf(out, "<br>%s</p></div></header>\n", metric_words(sheet->metric));
    free(picture.owned);
}

static void write_page(FILE *out, const cli_sheet *sheet)
{
    char id_name[32];
    snprintf(id_name, sizeof id_name, "picture %" PRId64, sheet->query_id);
    const char *name = sheet->query_path ? last_name(sheet->query_path)
                       : sheet->query_id ? id_name
                                         : "a picture from stdin";
    uint64_t budget = PAGE_BYTES_MAX;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
          out);
    cli_text_html(out, name);
    fprintf(out, "</title>\n<style>\n%s</style></head>\n<body>\n", style);
    write_header(out, sheet, name, &budget);
    fputs("<main>\n", out);
    uint64_t count = imgret_results_count(sheet->results);
    for (uint64_t i = 0; i < count; i++)
        write_hit(out, sheet, i, &budget);
    fputs("</main>\n", out);
    if (!count)
        fputs("<p>Nothing found.</p>\n", out);
    fputs("</body></html>\n", out);
}

bool cli_sheet_write(const char *file, const cli_sheet *sheet)
{
    FILE *out = fopen(file, "wb");
    if (!out) {
        cli_error("%s: %s", file, strerror(errno));
        return false;
    }
    write_page(out, sheet);
    bool good = !ferror(out);
    good = fclose(out) == 0 && good;
    if (!good)
        cli_error("%s: cannot write the contact sheet: %s", file, strerror(errno));
    return good;
}
