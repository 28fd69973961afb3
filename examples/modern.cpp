// examples/modern.cpp -- C++17: owners instead of destroy calls, operators for values, a cell as a
// lambda.
//
//     modern [UPDATES]
#include <array>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <vector>
#include <retrograd/retrograd.h>

// Ten lines that make the library at home here.
template <class T, void (*destroy)(T **)> class owner {
    T *p = nullptr;
public:
    owner() = default;
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    ~owner() { destroy(&p); }
    T **operator&() { return &p; }
    operator T *() const { return p; }
};
static void check(rg_status st, const char *message)
{
    if (st != RG_OK)
        throw std::runtime_error(message);
}
static rg_val operator+(rg_val a, rg_val b) { return rg_add(a, b); }
static rg_val operator*(rg_val a, rg_val b) { return rg_mul(a, b); }

constexpr int64_t T = 40, B = 16, H = 24;

int main(int argc, char **argv)
try {
    const int updates = argc > 1 ? std::atoi(argv[1]) : 1000;
    owner<rg_params, rg_params_destroy> params;
    owner<rg_graph, rg_graph_destroy> graph;
    owner<rg_plan, rg_plan_destroy> plan;
    owner<rg_optim, rg_optim_destroy> optim;

    check(rg_params_create(&params, 1, nullptr), "no memory for parameters");
    check(rg_graph_create(&graph, params, nullptr), "no memory for a graph");
    rg_val X = rg_input(graph, "x", RG_F, RG_SHAPE(T, B, 1));
    rg_val Y = rg_input(graph, "y", RG_F, RG_SHAPE(B, 1));

    struct weights { rg_gate f, g; };                        // minimal gated unit (Zhou 2016)
    const weights w{ rg_gate_declare(graph, "mgu", "f", 1, H, 1),
                     rg_gate_declare(graph, "mgu", "g", 1, H, 0) };
    const std::array<int64_t, 1> width{ H };
    const auto step = [](const void *v, rg_val x, const rg_val *s, rg_val *next) {
        auto *p = static_cast<const weights *>(v);
        rg_val h = s[0];
        rg_val f = rg_sigmoid(rg_gate_sum(&p->f, x, h));
        rg_val g = rg_tanh(rg_gate_sum(&p->g, x, f * h));
        next[0] = rg_one_minus(f) * h + f * g;
    };
    const rg_cell cell{ "mgu", 1, width.data(), step, &w };
    rg_val last;
    rg_unroll(&last, &cell, X, nullptr, nullptr);
    rg_val loss = rg_mean(rg_mse(rg_dense(last, "out", 1), Y));

    rg_plan_opts options{};
    options.real = RG_F64;
    check(rg_plan_create_train(&plan, loss, nullptr, 0, &options), rg_graph_message(graph));
    rg_optim_opts adam{};
    adam.lr = 5e-3;
    check(rg_optim_create(&optim, params, &adam), rg_params_message(params));

    std::vector<double> x(T * B), y(B);                      // a sine wave's next point
    rg_plan_bind(plan, X, x.data(), x.size() * sizeof x[0]);
    rg_plan_bind(plan, Y, y.data(), y.size() * sizeof y[0]);
    for (int k = 0; k < updates; k++) {
        for (size_t b = 0; b < B; b++) {
            double phase = 6.28 * std::rand() / RAND_MAX;
            for (size_t t = 0; t < T; t++)
                x[t * B + b] = std::sin(phase + 0.3 * static_cast<double>(t));
            y[b] = std::sin(phase + 0.3 * T);
        }
        check(rg_plan_run(plan), rg_plan_message(plan));
        check(rg_optim_step(optim, plan), rg_plan_message(plan));
    }
    std::printf("mse %g\n", rg_plan_scalar(plan, loss));
} catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
