/* train/scores.c -- how good answers are: sums over everything, divided once. */
#include <retrograd/task.h>

#include <math.h>

/* F1 of class k: 2·right / (times it was true + times it was said). */
static double f1(const uint64_t *confusion, size_t K, size_t k, bool *occurs)
{
    uint64_t right = confusion[k * K + k], both = 0;
    for (size_t j = 0; j < K; j++)
        both += confusion[k * K + j] + confusion[j * K + k];
    *occurs = both > 0;
    return both ? 2 * (double)right / (double)both : 0;
}

rg_class_score rg_confusion_score(const uint64_t *confusion, size_t K)
{
    double right = 0, all = 0, sum = 0, classes = 0;
    for (size_t i = 0; confusion && i < K; i++) {
        bool occurs;
        sum += f1(confusion, K, i, &occurs);
        classes += occurs;
        right += (double)confusion[i * K + i];
        for (size_t j = 0; j < K; j++)
            all += (double)confusion[i * K + j];
    }
    return (rg_class_score){ all > 0 ? right / all : NAN, classes > 0 ? sum / classes : NAN };
}
