/* kernels/update_loops.h -- the loops behind kernels/update.h; included once per precision and
 * instruction set with REAL, SQRT and NAME(rule) defined. Plain C that vectorises: division and
 * square root are IEEE, nothing is reassociated, so every instruction set gives the same bits. */

static inline REAL NAME(gradient)(const rg_update *u, REAL g)
{
    const REAL runs = (REAL)u->runs, clip = (REAL)u->clip;
    g = g / runs;
    g = g > clip ? clip : g < -clip ? -clip : g;
    return g * (REAL)u->scale;
}

static void NAME(sgd)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, shrink = (REAL)k.shrink;
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i];
        w[i] = w[i] * shrink - lr * d;
    }
}

/* v = μv + g, the first time v = g;  w -= η·v, nesterov w -= η·(g + μv) */
static void NAME(momentum)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g,
                           REAL *restrict v)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, mu = (REAL)k.momentum;
    const REAL keep = k.first ? 0 : mu, look = k.nesterov ? mu : 1, own = k.nesterov ? 1 : 0;
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i];
        v[i] = keep * v[i] + d;
        w[i] -= lr * (own * d + look * v[i]);
    }
}

/* s += g²;  w -= η·g/(√s + ε) */
static void NAME(adagrad)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g,
                          REAL *restrict s)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, eps = (REAL)k.eps;
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i];
        s[i] += d * d;
        w[i] -= lr * (d / (SQRT(s[i]) + eps));
    }
}

/* s = ρs + (1-ρ)g²;  Δ = g·√(e+ε)/√(s+ε);  e = ρe + (1-ρ)Δ²;  w -= η·Δ */
static void NAME(adadelta)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g,
                           REAL *restrict s, REAL *restrict e)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, eps = (REAL)k.eps;
    const REAL rho = (REAL)k.beta2, rest = (REAL)(1 - k.beta2);
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i];
        s[i] = rho * s[i] + rest * d * d;
        REAL step = SQRT(e[i] + eps) / SQRT(s[i] + eps) * d;
        e[i] = rho * e[i] + rest * step * step;
        w[i] -= lr * step;
    }
}

/* s = αs + (1-α)g²;  n = g/(√s + ε), centered: √max(s - ḡ², 0), ḡ = αḡ + (1-α)g;  w -= η·n, with
 * momentum v = μv + n, w -= η·v. @p v and @p mean are NULL where they are not needed. */
static void NAME(rmsprop)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g,
                          REAL *restrict s, REAL *restrict v, REAL *restrict mean)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, eps = (REAL)k.eps, mu = (REAL)k.momentum;
    const REAL alpha = (REAL)k.beta2, rest = (REAL)(1 - k.beta2);
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i], root;
        s[i] = alpha * s[i] + rest * d * d;
        root = s[i];
        if (mean) {
            mean[i] = alpha * mean[i] + rest * d;
            root -= mean[i] * mean[i];
            root = root > 0 ? root : 0;
        }
        d = d / (SQRT(root) + eps);
        if (v)
            d = v[i] = mu * v[i] + d;
        w[i] -= lr * d;
    }
}

/* m = β₁m + (1-β₁)g;  v = β₂v + (1-β₂)g²;  w -= η/(1-β₁ᵗ) · m/(√v/√(1-β₂ᵗ) + ε) */
static void NAME(adam)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g,
                       REAL *restrict m, REAL *restrict v)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, shrink = (REAL)k.shrink, eps = (REAL)k.eps;
    const REAL b1 = (REAL)k.beta1, r1 = (REAL)(1 - k.beta1);
    const REAL b2 = (REAL)k.beta2, r2 = (REAL)(1 - k.beta2), root = (REAL)k.root_bias2;
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i];
        m[i] = b1 * m[i] + r1 * d;
        v[i] = b2 * v[i] + r2 * d * d;
        w[i] = w[i] * shrink - lr * (m[i] / (SQRT(v[i]) / root + eps));
    }
}

/* The same with the running maximum of v in the quotient. */
static void NAME(amsgrad)(const rg_update *u, int64_t n, REAL *restrict w, const REAL *restrict g,
                          REAL *restrict m, REAL *restrict v, REAL *restrict top)
{
    const rg_update k = *u;
    const REAL lr = (REAL)k.lr, decay = (REAL)k.decay, shrink = (REAL)k.shrink, eps = (REAL)k.eps;
    const REAL b1 = (REAL)k.beta1, r1 = (REAL)(1 - k.beta1);
    const REAL b2 = (REAL)k.beta2, r2 = (REAL)(1 - k.beta2), root = (REAL)k.root_bias2;
    for (int64_t i = 0; i < n; i++) {
        REAL d = NAME(gradient)(&k, g[i]) + decay * w[i];
        m[i] = b1 * m[i] + r1 * d;
        v[i] = b2 * v[i] + r2 * d * d;
        top[i] = top[i] > v[i] ? top[i] : v[i];
        w[i] = w[i] * shrink - lr * (m[i] / (SQRT(top[i]) / root + eps));
    }
}

static void NAME(update)(const rg_update *u, int64_t n, REAL *w, const REAL *g, REAL *const *s)
{
    switch (u->rule) {
    case RG_UPDATE_SGD:
        NAME(sgd)(u, n, w, g);
        break;
    case RG_UPDATE_MOMENTUM:
        NAME(momentum)(u, n, w, g, s[0]);
        break;
    case RG_UPDATE_ADAGRAD:
        NAME(adagrad)(u, n, w, g, s[0]);
        break;
    case RG_UPDATE_ADADELTA:
        NAME(adadelta)(u, n, w, g, s[0], s[1]);
        break;
    case RG_UPDATE_RMSPROP:
        NAME(rmsprop)(u, n, w, g, s[0], s[1], s[2]);
        break;
    case RG_UPDATE_ADAM:
        if (u->amsgrad)
            NAME(amsgrad)(u, n, w, g, s[0], s[1], s[2]);
        else
            NAME(adam)(u, n, w, g, s[0], s[1]);
        break;
    }
}

/* ---- What decides about clipping: sums and maxima in 16 lanes, whatever the vector width ----- */

/* The lanes as a tree of fixed shape. */
static double NAME(add_lanes)(double *lane)
{
    for (int half = RG_UPDATE_LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    return lane[0];
}

static inline double NAME(cut)(REAL g, double clip, double scale)
{
    double x = (double)g;
    return (x > clip ? clip : x < -clip ? -clip : x) * scale;
}

static double NAME(sum_squares)(const REAL *g, int64_t n, double clip, double scale)
{
    double lane[RG_UPDATE_LANES] = { 0 };
    int64_t i = 0;
    for (; i + RG_UPDATE_LANES <= n; i += RG_UPDATE_LANES)
        for (int k = 0; k < RG_UPDATE_LANES; k++) {
            double x = NAME(cut)(g[i + k], clip, scale);
            lane[k] += x * x;
        }
    for (int k = 0; i < n; i++, k++) {
        double x = NAME(cut)(g[i], clip, scale);
        lane[k] += x * x;
    }
    return NAME(add_lanes)(lane);
}

/* A sum catches what a maximum would lose: one NaN or infinity makes Σ 0·g NaN. */
static double NAME(largest)(const REAL *g, int64_t n)
{
    REAL top[RG_UPDATE_LANES] = { 0 }, odd[RG_UPDATE_LANES] = { 0 };
    for (int64_t i = 0; i < n; i += RG_UPDATE_LANES) {
        int64_t m = n - i < RG_UPDATE_LANES ? n - i : RG_UPDATE_LANES;
        for (int64_t k = 0; k < m; k++) {
            REAL a = g[i + k] < 0 ? -g[i + k] : g[i + k];
            top[k] = a > top[k] ? a : top[k];
            odd[k] += a * 0;
        }
    }
    for (int k = 1; k < RG_UPDATE_LANES; k++) {
        top[0] = top[k] > top[0] ? top[k] : top[0];
        odd[0] += odd[k];
    }
    return odd[0] == 0 ? (double)top[0] : NAN;
}
