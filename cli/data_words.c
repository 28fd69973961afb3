/* cli/data_words.c -- `retrograd data --units word`: a text as a model of words reads it. */
#include "cli/data.h"
#include "cli/text.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum { ORDERS = 3, PARTS = 2 };

static const rg_part part[PARTS] = { RG_PART_VALID, RG_PART_TEST };
static const char *const name[PARTS] = { "valid", "test" };

static void print(const lm_text *t, double bits[PARTS][ORDERS])
{
    const rg_words *w = &t->words;
    printf("words       %zu, %.2f characters each with the white space behind; a vocabulary of "
           "%zu\n", w->n, text_spread(t, RG_PART_ALL), w->vocab.n);
    printf("parts       %zu train, %zu valid, %zu test\n", text_part(t, RG_PART_TRAIN).n,
           text_part(t, RG_PART_VALID).n, text_part(t, RG_PART_TEST).n);
    printf("unknown     %.2f %% of train, %.2f %% of valid, %.2f %% of test\n",
           100 * text_unknown(t, RG_PART_TRAIN), 100 * text_unknown(t, RG_PART_VALID),
           100 * text_unknown(t, RG_PART_TEST));
    printf("\nperplexity per word without a model; counted on the training part\nuniform     %zu\n"
           "%-10s", w->vocab.n, "order");
    for (int k = 1; k <= ORDERS; k++)
        printf("  %8d", k);
    for (int p = 0; p < PARTS; p++) {
        printf("\n%-10s", name[p]);
        for (int k = 0; k < ORDERS; k++)
            printf("  %8.2f", exp2(bits[p][k]));
    }
    printf("\n");
}

static int print_json(const lm_text *t, double bits[PARTS][ORDERS])
{
    json_t *counted = json_object(), *unknown = json_object();
    for (int p = 0; p < PARTS; p++) {
        json_t *list = json_array();
        for (int k = 0; k < ORDERS; k++)
            json_array_append_new(list, number_json(exp2(bits[p][k])));
        json_object_set_new(counted, name[p], list);
        json_object_set_new(unknown, name[p], json_real(text_unknown(t, part[p])));
    }
    return put_json(json_pack("{s:i, s:s, s:I, s:I, s:f, s:o, s:o, s:s}", "v", 1, "kind", "words",
                              "words", (json_int_t)t->words.n, "symbols",
                              (json_int_t)t->words.vocab.n, "characters_per_word",
                              text_spread(t, RG_PART_ALL), "unknown", unknown, "count_models",
                              counted, "sha256", t->words.sha256), 9);
}

int data_of_words(const settings *s)
{
    lm_text t;
    double bits[PARTS][ORDERS];
    int code = text_load(&t, s);
    if (code == DONE) {
        const rg_span tried[PARTS] = { text_part(&t, part[0]), text_part(&t, part[1]) };
        rg_status st = rg_count_models(bits[0], ORDERS, text_symbols(&t),
                                       text_part(&t, RG_PART_TRAIN), tried, PARTS);
        code = st ? fail(exit_code(st), "%s: %s", s->data, rg_status_text(st)) : DONE;
    }
    if (code == DONE && s->json)
        code = print_json(&t, bits);
    else if (code == DONE)
        print(&t, bits);
    text_close(&t);
    return code;
}
