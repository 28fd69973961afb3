/* tests/train/dataset_batches.c -- items as rectangles: every one once, shapes few, order a
 * function of (seed, epoch); words of a text. */
#include "tests/rgt.h"

#include <retrograd/task.h>

#include "train/borders.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 203, W = 2 };

/* Ragged numbers: item i has lengths[i] steps of {100·i + t, -t}, class i mod 3. */
static rg_status make(rg_dataset *d, float *x, int64_t *offsets, uint8_t *y, rg_target target)
{
    size_t steps = 0;
    for (size_t i = 0; i < N; i++) {
        offsets[i] = (int64_t)steps;
        for (size_t t = 0; t < (i * 7) % 23; t++, steps++) {
            x[W * steps] = (float)(100 * i + t);
            x[W * steps + 1] = -(float)t;
        }
        y[i] = (uint8_t)(i % 3);
    }
    offsets[N] = (int64_t)steps;
    rg_array ax = { RG_F32, RG_SHAPE((int64_t)steps, W), x, steps * W * sizeof *x, "" };
    rg_array ao = { RG_I64, RG_SHAPE(N + 1), offsets, (N + 1) * sizeof *offsets, "" };
    rg_array ay = { RG_U8, RG_SHAPE(N), y, N, "" };
    rg_arrays a = { .x = &ax, .offsets = &ao, .y = &ay };
    const rg_dataset_opts opts = { .in = { .scaling = RG_SCALE_NONE }, .target = target,
                                   .valid = -1, .test = -1 };
    return rg_dataset_arrays(d, &a, NULL, NULL, &opts);
}

static void dataset(rg_dataset *d)
{
    static float x[N * 23 * W];
    static int64_t offsets[N + 1];
    static uint8_t y[N];
    RGT_CHECK_MSG(make(d, x, offsets, y, RG_TARGET_CLASS) == RG_OK, "%s", d->message);
    RGT_CHECK(d->n == N && d->in.longest == 22);
}

/* Row b of a batch is the item that it says, padded by zeros and masked. */
static void check_row(const rg_batch *x, int64_t b)
{
    size_t i = x->item[b], n = (i * 7) % 23;
    if (b >= x->n) {
        RGT_CHECK(x->item[b] == RG_NO_ITEM && x->y_mask[b] == 0 && x->y[b] == 0);
        n = 0;
    } else {
        RGT_CHECK(x->y[b] == (int32_t)(i % 3) && x->y_mask[b] == 1 && x->y_length[b] == 1);
    }
    RGT_CHECK(x->length[b] == (int32_t)n && x->T >= (int64_t)n && x->T >= 1 && x->U == 1);
    for (size_t t = 0; t < (size_t)x->T; t++) {
        size_t at = t * (size_t)x->B + (size_t)b;
        const float *v = (const float *)x->x + W * at;
        RGT_CHECK(x->mask[at] == (t < n));
        RGT_CHECK(v[0] == (t < n ? (float)(100 * i + t) : 0) && v[1] == (t < n ? -(float)t : 0));
    }
}

RGT_TEST(batches, every_item_comes_once_an_epoch_and_shapes_are_few)
{
    for (int how = 0; how < 8; how++) {
        rg_dataset d;
        rg_batches *s;
        rg_batch x;
        size_t seen[N] = { 0 }, shapes = 0, small = 0;
        bool shape[32] = { false };
        dataset(&d);
        const rg_batches_opts opts = { .rows = 16, .lengths = how & 1 ? 3 : 0, .fill = how & 2,
                                       .in_order = how & 4, .seed = 5 };
        RGT_CHECK_MSG(rg_batches_create(&s, &d, &opts) == RG_OK, "%s", d.message);
        for (size_t p = 0; p < rg_batches_count(s); p++) {
            RGT_CHECK(rg_batches_get(&x, s, 3, p) == RG_OK);
            RGT_CHECK(x.n >= 1 && x.n <= 16 && (how & 2 ? x.B == 16 : x.B == x.n));
            small += x.n < 16;
            for (int64_t b = 0; b < x.B; b++) {
                check_row(&x, b);
                if (b < x.n)
                    seen[x.item[b]]++;
            }
            shapes += !shape[x.T];
            shape[x.T] = true;
        }
        for (size_t i = 0; i < N; i++)
            RGT_CHECK(seen[i] == 1);
        RGT_CHECK(small == 1 && shapes >= 3 && shapes <= (how & 1 ? 3 : 8));
        RGT_CHECK(rg_batches_get(&x, s, 3, rg_batches_count(s)) == RG_EARG);
        rg_batches_destroy(&s);
        rg_dataset_destroy(&d);
    }
}

/* Which items a batch has, as a number. */
static uint64_t print_of(rg_batches *s, uint64_t epoch, size_t position)
{
    rg_batch x;
    uint64_t h = 0;
    RGT_CHECK(rg_batches_get(&x, s, epoch, position) == RG_OK);
    for (int64_t b = 0; b < x.n; b++)
        h = h * UINT64_C(6364136223846793005) + x.item[b] + 1;
    return h;
}

RGT_TEST(batches, seed_epoch_and_position_are_all_that_order_depends_on)
{
    rg_dataset d;
    rg_batches *a, *b, *c;
    dataset(&d);
    rg_batches_opts opts = { .rows = 16, .seed = 9 };
    RGT_CHECK(rg_batches_create(&a, &d, &opts) == RG_OK && rg_batches_create(&b, &d, &opts) ==
              RG_OK);
    opts.seed = 10;
    RGT_CHECK(rg_batches_create(&c, &d, &opts) == RG_OK);
    size_t n = rg_batches_count(a), same_epoch = 0, same_seed = 0;
    for (size_t p = 0; p < n; p++)
        (void)print_of(a, 0, p);
    for (size_t k = 0; k < n; k++) { /* b jumps about; a goes straight on */
        uint64_t straight = print_of(a, 1, k);
        RGT_CHECK(print_of(b, 7, n - 1 - k) != 0 && print_of(b, 1, k) == straight);
        same_epoch += print_of(b, 2, k) == straight;
        same_seed += print_of(c, 1, k) == straight;
    }
    RGT_CHECK(same_epoch <= 1 && same_seed <= 1);
    rg_batches_destroy(&a);
    rg_batches_destroy(&b);
    rg_batches_destroy(&c);
    rg_dataset_destroy(&d);
}

RGT_TEST(batches, getting_one_allocates_nothing)
{
    rg_dataset d;
    rg_batches *s;
    rg_batch x;
    dataset(&d);
    RGT_CHECK(rg_batches_create(&s, &d, NULL) == RG_OK && rg_batches_get(&x, s, 4, 0) == RG_OK);
    long before = rgt_malloc_calls();
    for (size_t p = 0; p < rg_batches_count(s); p++)
        RGT_CHECK(rg_batches_get(&x, s, 4, p) == RG_OK);
    RGT_CHECK(rgt_malloc_calls() == before);
    rg_batches_destroy(&s);
    rg_dataset_destroy(&d);
}

RGT_TEST(batches, options_and_parts_that_are_none_are_refused)
{
    rg_dataset d;
    rg_batches *s;
    dataset(&d);
    RGT_CHECK(rg_batches_create(&s, &d, &(rg_batches_opts){ .part = RG_PART_TEST }) == RG_ESTATE);
    RGT_CHECK_MSG(!strcmp(d.message, "batches: the part has no items") && !s, "%s", d.message);
    RGT_CHECK(rg_batches_create(&s, &d, &(rg_batches_opts){ .real = RG_U8 }) == RG_EARG);
    RGT_CHECK(rg_batches_create(&s, &d, &(rg_batches_opts){ .lengths = 257 }) == RG_EARG);
    RGT_CHECK(rg_batches_create(&s, &d, &(rg_batches_opts){ .rows = SIZE_MAX }) == RG_EARG);
    RGT_CHECK(rg_batches_create(&s, &d, &(rg_batches_opts){ .part = (rg_part)9 }) == RG_EARG);
    RGT_CHECK(rg_batches_create(NULL, &d, NULL) == RG_EARG);
    RGT_CHECK(rg_batches_create(&s, NULL, NULL) == RG_EARG && !s);
    RGT_CHECK(rg_batches_count(NULL) == 0 && rg_batches_get(NULL, NULL, 0, 0) == RG_EARG);
    rg_dataset_destroy(&d);
}

RGT_TEST(batches, rows_for_the_trainers_are_the_same_numbers)
{
    rg_dataset d;
    rg_rows r;
    dataset(&d);
    RGT_CHECK(rg_dataset_rows(&r, &d, RG_PART_TRAIN) == RG_OK && r.n == N);
    for (size_t i = 0; i < N; i++) {
        RGT_CHECK(r.length[i] == (int32_t)(i * 7 % 23) && *(const int32_t *)r.y[i] == (int)i % 3);
        for (int32_t t = 0; t < r.length[i]; t++)
            RGT_CHECK(((const float *)r.x[i])[W * t] == (float)(100 * (int32_t)i + t));
    }
    RGT_CHECK(rg_dataset_rows(&r, &d, RG_PART_VALID) == RG_OK && r.n == 0);
    RGT_CHECK(rg_dataset_rows(NULL, &d, RG_PART_TRAIN) == RG_EARG);
    rg_dataset_destroy(&d);
}

/* ---- Borders --------------------------------------------------------------------------------- */

/* Steps of all items padded to these borders. */
static int64_t padded(const int32_t *border, const int32_t *length, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (border[k] < length[i])
            k++;
        sum += border[k];
    }
    return sum;
}

/* The best of all choices of 3 borders among 1 .. 12, by trying each. */
static int64_t least(const int32_t *length, size_t n, int32_t longest)
{
    int64_t best = INT64_MAX;
    for (int32_t a = 1; a <= longest; a++)
        for (int32_t b = a; b <= longest; b++) {
            const int32_t border[3] = { a, b, longest };
            int64_t sum = padded(border, length, n);
            best = sum < best ? sum : best;
        }
    return best;
}

RGT_TEST(batches, borders_pad_as_little_as_any)
{
    rg_alloc alloc = rgt_hooks(&(rgt_alloc){ 0 });
    srand(7);
    for (int round = 0; round < 200; round++) {
        int32_t length[40], border[3], longest = 1;
        size_t n = 1 + (size_t)rand() % 40;
        for (size_t i = 0; i < n; i++) {
            length[i] = rand() % 3 ? 1 + rand() % 4 : rand() % 13;
            longest = length[i] > longest ? length[i] : longest;
        }
        size_t k = rg_borders(border, 3, length, n, &alloc);
        RGT_CHECK(k >= 1 && k <= 3 && border[k - 1] == longest);
        RGT_CHECK_MSG(padded(border, length, n) == least(length, n, longest), "round %d", round);
    }
    int32_t border[2], wide[] = { 1, 5000, 5001, 9999, 10000 };
    RGT_CHECK(rg_borders(border, 2, wide, 5, &alloc) == 2);
    RGT_CHECK(border[1] == 10000 && border[0] < 5021 && (border[0] < 21 || border[0] >= 5001));
    RGT_CHECK(rg_borders(border, 2, NULL, 0, &alloc) <= 1);
}

/* ---- Words ----------------------------------------------------------------------------------- */

RGT_TEST(words, ids_follow_frequency_in_the_training_part)
{
    /* 20 words: 18 train, the last two are not counted */
    static const char text[] = "b a b a b c  a\tb\nb d d d d d d e e f  new b";
    rg_words w;
    RGT_CHECK_MSG(rg_words_decode(&w, "t", text, sizeof text - 1, NULL) == RG_OK, "%s", w.message);
    static const char *const want[] = { RG_UNKNOWN, "d", "b", "a", "e", "c", "f" };
    RGT_CHECK(w.n == 20 && w.vocab.n == 7 && w.unknown == 1);
    for (size_t i = 0; i < 7; i++)
        RGT_CHECK_MSG(!strcmp(w.vocab.word[i], want[i]), "%zu: %s", i, w.vocab.word[i]);
    RGT_CHECK(w.id[0] == 2 && w.id[18] == 0 && w.id[19] == 2);
    RGT_CHECK(rg_words_part(&w, RG_PART_TRAIN).n == 18 && rg_words_part(&w, RG_PART_TEST).n == 1);
    const rg_words_opts given = { .vocab = &w.vocab };
    rg_words again;
    RGT_CHECK(rg_words_decode(&again, "t", "a x", 3, &given) == RG_OK && again.id[0] == 3);
    RGT_CHECK(again.id[1] == 0 && again.unknown == 1 && again.vocab.n == 7);
    rg_words_destroy(&again);
    const rg_words_opts few = { .most = 3, .least = 2 };
    RGT_CHECK(rg_words_decode(&again, "t", text, sizeof text - 1, &few) == RG_OK);
    RGT_CHECK(again.vocab.n == 3 && again.unknown == 8);
    rg_words_destroy(&again);
    rg_words_destroy(&w);
}

RGT_TEST(words, characters_of_a_part_are_those_of_its_words_and_the_white_space_behind)
{
    /* 18 words train: 18 letters, 17 blanks between, two behind; then three and four characters */
    static const char text[] = "  a a a a a a a a a a a a a a a a a a  "
                               "n\xc3\xa4 " "\xe2\x82\xac" "b\n\n";
    rg_words w;
    RGT_CHECK_MSG(rg_words_decode(&w, "t", text, sizeof text - 1, NULL) == RG_OK, "%s", w.message);
    RGT_CHECK(w.n == 20 && w.characters[RG_PART_TRAIN] == 37);
    RGT_CHECK(w.characters[RG_PART_VALID] == 3 && w.characters[RG_PART_TEST] == 4);
    RGT_CHECK(w.characters[RG_PART_ALL] == 44);
    rg_words_destroy(&w);
    RGT_CHECK(rg_words_decode(&w, "t", " \n", 2, NULL) == RG_OK && w.characters[RG_PART_ALL] == 0);
    rg_words_destroy(&w);
}

RGT_TEST(words, faults_are_named_with_their_line)
{
    static const char *const list[] = { "a" };
    rg_words w;
    rg_vocab v;
    RGT_CHECK(rg_words_decode(&w, "t", "a\nb \xff", 5, NULL) == RG_EFORMAT);
    RGT_CHECK_MSG(!strcmp(w.message, "t:2: a word that is not UTF-8 text"), "%s", w.message);
    RGT_CHECK(rg_words_decode(&w, "t", "a\0b", 3, NULL) == RG_EFORMAT && !w.id);
    RGT_CHECK(rg_vocab_create(&v, list, 1) == RG_OK);
    RGT_CHECK(rg_words_decode(&w, "t", "a\na b", 5, &(rg_words_opts){ .vocab = &v }) ==
              RG_EMISMATCH);
    RGT_CHECK_MSG(!strcmp(w.message, "t:2: 'b' is not in the vocabulary, which has no <unk>"), "%s",
                  w.message);
    rg_vocab_destroy(&v);
    RGT_CHECK(rg_words_decode(&w, "t", NULL, 0, NULL) == RG_OK && w.n == 0 && w.vocab.n == 1);
    rg_words_destroy(&w);
    RGT_CHECK(rg_words_load(&w, "/nonexistent", NULL) == RG_EIO && rgt_has(w.message, "ENOENT"));
    RGT_CHECK(rg_words_decode(NULL, "t", "", 0, NULL) == RG_EARG);
}
