/* examples/encoder_decoder.c -- a sequence in, another of its own length out: English letters to
 * phones. A bidirectional encoder, a bridge of tanh, a decoder with additive attention (Bahdanau et
 * al. 2015) that learns from true phones and then answers by greedy and by beam search. Where it
 * looked for one word is drawn into attention.svg. The same by hand: docs/MAPPINGS.md.
 *
 *     python3 tools/data/lexicon.py
 *     encoder_decoder build/data/lexicon/lexicon.tsv [UPDATES [WORDS]] */
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { SHOWN = 6, MOST = 32 };

/* What answers are held against. */
struct judge { const rg_dataset *d; const rg_rows *rows; rg_edits sum; int shown; bool draw; };

/* α of one answer: phones down, letters across. */
static void picture(const rg_dataset *d, const rg_rows *rows, const rg_prediction *p)
{
    const rg_hypothesis *h = p->best;
    const char *row[MOST], *column[MOST];
    double alpha[MOST * MOST];
    size_t n = h->n + h->finished, S = (size_t)rows->length[p->row];
    if (n > MOST || S > MOST || !p->weights)
        return;
    for (size_t t = 0; t < n; t++) {
        row[t] = t < h->n ? d->out_vocab.word[h->id[t]] : "end";
        for (size_t s = 0; s < S; s++)
            alpha[t * S + s] = (double)h->weights[t * (size_t)p->weights + s];
    }
    for (size_t s = 0; s < S; s++)
        column[s] = d->in_vocab.word[((const int32_t *)rows->x[p->row])[s]];
    FILE *f = fopen("attention.svg", "w");
    if (!f)
        return;
    rg_svg_heat(&(rg_heat){ .value = alpha, .rows = n, .columns = S, .row_name = row,
                            .column_name = column }, 1, 1,
                &(rg_svg_opts){ .title = "Where the decoder looks", .x_label = "letters across, "
                                "phones down" }, rg_to_file, f);
    fclose(f);
}

static void print(const rg_vocab *vocab, const int32_t *id, size_t n, const char *gap)
{
    for (size_t t = 0; t < n; t++)
        printf("%s%s", t ? gap : "", vocab->word[id[t]]);
}

static bool take(void *user, const rg_prediction *p)
{
    struct judge *j = user;
    const int32_t *y = j->rows->y[p->row], *x = j->rows->x[p->row];
    const rg_hypothesis *said = p->best;
    size_t n = (size_t)j->rows->y_length[p->row] - 1;             /* without the end */
    if (rg_edits_add(&j->sum, (rg_tokens){ said->id, said->n }, (rg_tokens){ y, n }))
        return false;
    if (j->draw && j->rows->length[p->row] >= 8 && j->shown-- > 0) {
        print(&j->d->in_vocab, x, (size_t)j->rows->length[p->row], "");
        printf(" -> ");
        print(&j->d->out_vocab, said->id, said->n, " ");
        putchar('\n');
        picture(j->d, j->rows, p);
    }
    return true;
}

/* The baseline: the most frequent phone, as many of it as there are phones. */
static double always(const rg_dataset *d, const rg_rows *train, const rg_rows *test)
{
    size_t count[256] = { 0 }, best = 0;
    rg_edits sum = { 0 };
    int32_t same[MOST];
    for (size_t i = 0; i < train->n; i++)
        for (int32_t t = 0; t + 1 < train->y_length[i]; t++)
            count[((const int32_t *)train->y[i])[t]]++;
    for (size_t k = 0; k < d->out_vocab.n; k++)
        best = count[k] > count[best] ? k : best;
    for (size_t t = 0; t < MOST; t++)
        same[t] = (int32_t)best;
    for (size_t i = 0; i < test->n; i++) {
        size_t n = (size_t)test->y_length[i] - 1;
        if (n <= MOST)
            rg_edits_add(&sum, (rg_tokens){ same, n }, (rg_tokens){ test->y[i], n });
    }
    return rg_edits_rate(&sum);
}

int main(int argc, char **argv)
{
    int updates = argc > 2 ? atoi(argv[2]) : 2000;
    rg_table table;
    rg_dataset d;
    rg_rows train, test;
    rg_params *ps;
    rg_trainer *trainer = NULL;
    if (argc < 2 || rg_table_load(&table, argv[1], NULL))
        return fprintf(stderr, "%s\npython3 tools/data/lexicon.py writes lexicon.tsv\n",
                       argc < 2 ? "encoder_decoder FILE [UPDATES [WORDS]]" : table.message), 1;
    if (rg_dataset_table(&d, &table, NULL, NULL, &(rg_dataset_opts){
                             .in = { .columns = "word", .unit = RG_UNIT_CHAR },
                             .out = { .columns = "phones", .unit = RG_UNIT_WORD },
                             .target = RG_TARGET_SEQUENCE }) ||
        rg_dataset_rows(&train, &d, RG_PART_TRAIN) || rg_dataset_rows(&test, &d, RG_PART_TEST))
        return fprintf(stderr, "%s\n", d.message), 1;
    const rg_task_opts model = {
        .task = RG_SEQ2SEQ, .cell = rg_gru, .symbols = (int64_t)d.in_vocab.n, .embed = 32,
        .outputs = (int64_t)d.out_vocab.n, .hidden = 96, .bidirectional = true,
        .attention = RG_ATTEND_ADDITIVE, .begin = d.begin, .end = d.end };
    rg_params_create(&ps, 9, NULL);
    if (rg_task_trainer_create(&trainer, ps, &train, &(rg_task_trainer_opts){
                                   .model = model, .B = 64, .grain = 4,
                                   .optim = { .lr = 2e-3, .clip_norm = 1 } }))
        return fprintf(stderr, "%s\n", rg_params_message(ps)), 1;
    for (int k = 0; k < updates; k++) {
        if (rg_trainer_step(trainer))
            return fprintf(stderr, "%s\n", rg_trainer_message(trainer)), 1;
        if (k % 200 == 199)
            printf("%5d  %.3f nats a phone\n", k + 1, rg_trainer_facts(trainer).loss);
    }
    if (argc > 3 && (size_t)atoi(argv[3]) < test.n)
        test.n = (size_t)atoi(argv[3]);
    for (int width = 1; width <= 5; width += 4) {
        struct judge j = { .d = &d, .rows = &test, .shown = SHOWN, .draw = width > 1 };
        rg_predictor *say;
        if (rg_predictor_create(&say, ps, &model, &(rg_predictor_opts){ .width = width }) ||
            rg_predictor_run(say, &test, take, &j))
            return fprintf(stderr, "%s\n", rg_params_message(ps)), 1;
        printf("%zu words, %-11s phones wrong %.3f, words wrong %.3f; always one phone: %.3f, 1\n",
               j.sum.rows, width > 1 ? "beam of 5:" : "greedy:", rg_edits_rate(&j.sum),
               (double)j.sum.wrong / (double)j.sum.rows, always(&d, &train, &test));
        rg_predictor_destroy(&say);
    }
    rg_trainer_destroy(&trainer);
    rg_params_destroy(&ps);
    rg_dataset_destroy(&d);
    rg_table_destroy(&table);
    return 0;
}
