/* cli/table.c -- the commands and their options. The order here is the order in every help. */
#include "cli/options.h"

/* Bits for option_spec.commands, in the order of `commands`. */
enum {
    TRAIN = 1, EVAL = 2, SAMPLE = 4, GRADCHECK = 8, PROFILE = 16, INFO = 32, DOCTOR = 64,
    COMPLETION = 128, HELP = 256, VERSION = 512, ALL = 1023
};

const command commands[] = {
    { "train", train_main, "", false,
      "fit a character model to a text",
      "retrograd train --data book.txt --embed 64 --steps 4000 --schedule cosine",
      "Fits a recurrent character model to a text and writes a run folder: configuration, metrics, "
      "loss curve, checkpoints. The first 90 % of the characters train, the next 5 % validate, the "
      "last 5 % test; count models are printed beside the result. The first limit reached ends the "
      "run; Ctrl-C saves and --resume continues, to the same bits." },
    { "eval", eval_main, "RUN", true,
      "bits per character of a model on a text",
      "retrograd eval runs/book-lstm-1",
      "Scores every character but the first of the run's test part, or of the text given with "
      "--data, state carried from beginning to end. RUN is a run folder (its best checkpoint) or a "
      "checkpoint file." },
    { "sample", sample_main, "RUN", true,
      "write text with a model",
      "retrograd sample runs/book-lstm-1 --prime \"It was \" --temperature 0.7 --length 500",
      "Writes text that the model makes up, character by character, on standard output. RUN is a "
      "run folder (its best checkpoint) or a checkpoint file." },
    { "gradcheck", gradcheck_main, "", false,
      "prove a cell's gradients",
      "retrograd gradcheck --cell gru --hidden 7",
      "Holds the gradients of a small network of the cell against oracles that do not use them, in "
      "double precision, one block per weight and time step. Anything but a pass ends with 4." },
    { "profile", profile_main, "RUN", false,
      "where the time of a training step goes",
      "retrograd profile --cell gru --hidden 512 --threads 2 --svg profile.svg",
      "Trains a few steps of a model, of a run or as the options say, on any text, and times every "
      "step of the plan: by kernel, by layer forward and backward, and the slowest kinds. Speeds "
      "are shares of P, the peak measured in the same run. Runs with and without timing take "
      "turns; the least of each is shown. RUN is a run folder or a checkpoint file." },
    { "info", info_main, "RUN", false,
      "describe this build, a run, a file or a cell",
      "retrograd info --cell gru",
      "Without an operand: the build. With a run folder or a safetensors file: what it holds. With "
      "--cell: the cell's equations, parameters and their shapes." },
    { "doctor", doctor_main, "", false,
      "test this installation",
      "retrograd doctor",
      "One line per test: the BLAS library, the kernels against their references, the same bits on "
      "one and on all threads, a gradient; then the speed that shares of a peak refer to. What "
      "fails comes with its remedy. Ends with 0 or 1." },
    { "completion", completion_main, "SHELL", true,
      "print the completion script of a shell (bash)",
      "retrograd completion bash > ~/.local/share/bash-completion/completions/retrograd",
      "Prints a script that completes commands, options and their values." },
    { "help", help_main, "COMMAND", false,
      "explain a command",
      "retrograd help train",
      "The same as COMMAND --help." },
    { "version", version_main, "", false,
      "print the version",
      "retrograd version",
      "One line." },
};
const size_t n_commands = sizeof commands / sizeof *commands;

#define AT(field) offsetof(settings, field)
#define BIG ((double)(INT64_C(1) << 53))
#define CELLS "rnn|rnn-relu|gru|gru-after|lstm"

static const char data[] = "Data", model[] = "Model", training[] = "Training", limits[] = "Limits",
                  folder[] = "Run folder", what[] = "What", output[] = "Output";

const option_spec options[] = {
    { "data", "data-dir input-file text corpus", 0, TEXT, AT(data), 0, 0, "FILE", NULL, data,
      "the text, UTF-8", TRAIN, KEPT },
    { "data", "data-dir input-file text corpus", 0, TEXT, AT(data), 0, 0, "FILE", NULL, what,
      "another text instead of the run's own", EVAL, 0 },
    { "bytes", "binary", 0, FLAG, AT(bytes), 0, 0, "", NULL, data,
      "symbols are bytes, not characters: takes any file", TRAIN, KEPT | FIXED },
    { "part", "split", 0, CHOICE, AT(part), 0, 0, "auto|all|train|valid|test", "auto", what,
      "what to score; auto is test of the run's text, all of another", EVAL, 0 },

    { "cell", "model rnn-type", 0, CHOICE, AT(cell), 0, 0, CELLS, "lstm", model,
      "recurrent cell; gru resets before the product, gru-after behind it as PyTorch does",
      TRAIN | PROFILE, KEPT | FIXED },
    { "hidden", "nhid rnn-size hidden-size units", 0, WHOLE, AT(hidden), 1, 65536, "N", "256",
      model, "width of a layer's state", TRAIN | PROFILE, KEPT | FIXED },
    { "layers", "nlayers num-layers", 0, WHOLE, AT(layers), 1, 64, "N", "1", model,
      "layers, each reading the one below", TRAIN | PROFILE, KEPT | FIXED },
    { "embed", "emsize embedding embedding-size", 0, WHOLE, AT(embed), 0, 65536, "N", "0", model,
      "width of the characters' embedding; 0 is one-hot", TRAIN | PROFILE, KEPT | FIXED },
    { "dropout", "drop", 0, REAL, AT(dropout), 0, 0.99, "P", "0", model,
      "share of values dropped between layers and before the output", TRAIN | PROFILE,
      KEPT | FIXED },
    { "dtype", "precision", 0, CHOICE, AT(dtype), 0, 0, "f32|f64", "f32", model,
      "precision of weights and arithmetic", TRAIN | PROFILE, KEPT | FIXED },

    { "batch", "batch-size bs", 0, WHOLE, AT(batch), 1, 65536, "N", "32", training,
      "rows, each reading its own stretch of the text", TRAIN | PROFILE, KEPT | FIXED },
    { "seq-len", "bptt seq-length sequence-length tbptt", 0, WHOLE, AT(seq_len), 1, 65536, "N",
      "64", training, "steps of back-propagation; the state is carried on", TRAIN | PROFILE,
      KEPT | FIXED },
    { "optimizer", "optim", 0, CHOICE, AT(optimizer), 0, 0,
      "adam|adamw|sgd|momentum|nesterov|adagrad|adadelta|rmsprop", "adam", training,
      "update rule, with PyTorch's constants", TRAIN | PROFILE, KEPT | FIXED },
    { "lr", "learning-rate alpha", 0, REAL, AT(lr), 1e-12, 1e6, "X", "0.003", training,
      "learning rate", TRAIN, KEPT | FIXED },
    { "schedule", "lr-schedule scheduler", 0, CHOICE, AT(schedule), 0, 0,
      "constant|step|cosine|plateau", "constant", training,
      "course of the rate; cosine falls to 0 over --steps or --epochs", TRAIN, KEPT | FIXED },
    { "warmup", "warmup-steps", 0, WHOLE, AT(warmup), 0, BIG, "N", "0", training,
      "updates over which the rate rises from 0", TRAIN, KEPT | FIXED },
    { "decay-every", "step-size", 0, WHOLE, AT(decay_every), 1, BIG, "N", NULL, training,
      "updates between decays (step) [1000]; evaluations without gain before one (plateau) [3]",
      TRAIN, KEPT | FIXED },
    { "decay-factor", "gamma", 0, REAL, AT(decay_factor), 1e-6, 1, "X", "0.5", training,
      "what a decay multiplies the rate with (step, plateau)", TRAIN, KEPT | FIXED },
    { "weight-decay", "wd l2", 0, REAL, AT(weight_decay), 0, 1e6, "X", "0", training,
      "added to the gradient; adamw keeps it apart, and has 0.01", TRAIN, KEPT | FIXED },
    { "clip-norm", "clip grad-clip max-norm", 0, REAL, AT(clip_norm), 1e-12, 1e12, "X", "1",
      training, "longest gradient, over all weights (L2); or none", TRAIN | PROFILE,
      KEPT | FIXED | NONE },
    { "clip-value", "", 0, REAL, AT(clip_value), 1e-12, 1e12, "X", "none", training,
      "largest element of a gradient; or none", TRAIN, KEPT | FIXED | NONE },
    { "seed", "random-seed", 0, WHOLE, AT(seed), 0, BIG, "N", "1", training,
      "of weights, dropout and samples", TRAIN | PROFILE, KEPT | FIXED },
    { "threads", "num-threads jobs", 0, WHOLE, AT(threads), 1, 64, "N", NULL, training,
      "results do not depend on it [all cores]", TRAIN | PROFILE, 0 },

    { "memory-budget", "max-memory memory", 0, SIZE, AT(memory_budget), 0, 0, "SIZE", NULL,
      training, "memory of a step at most, as 512M or 1.5G; computes again what it cannot keep",
      TRAIN | PROFILE, 0 },

    { "epochs", "max-epochs", 0, WHOLE, AT(epochs), 1, BIG, "N", NULL, limits,
      "passes over the training part [10, if no other limit is given]", TRAIN, KEPT },
    { "steps", "max-steps iterations max-iters", 0, WHOLE, AT(steps), 1, BIG, "N", NULL, limits,
      "windows of --seq-len characters in all rows", TRAIN, KEPT },
    { "minutes", "max-minutes time", 0, REAL, AT(minutes), 1e-3, 1e9, "X", NULL, limits,
      "time spent training, over all sessions of the run", TRAIN, KEPT },

    { "run", "save out output checkpoint-dir name", 0, TEXT, AT(run), 0, 0, "DIR", NULL, folder,
      "a new folder [runs/TEXT-CELL-N]", TRAIN, 0 },
    { "resume", "continue", 0, TEXT, AT(resume), 0, 0, "DIR", NULL, folder,
      "go on with a run where it was saved", TRAIN, 0 },
    { "log-every", "log-interval print-every", 0, WHOLE, AT(log_every), 1, BIG, "N", "50", folder,
      "steps between rows of the metrics", TRAIN, KEPT | FIXED },
    { "eval-every", "eval-interval eval-val-every", 0, WHOLE, AT(eval_every), 0, BIG, "N", "0",
      folder, "steps between evaluations; 0 is an epoch, at most 500", TRAIN, KEPT | FIXED },
    { "save-every", "save-interval", 0, WHOLE, AT(save_every), 0, BIG, "N", "0", folder,
      "steps between saves; 0 is at every evaluation", TRAIN, KEPT },
    { "sample-length", "", 0, WHOLE, AT(sample_length), 0, 100000, "N", "160", folder,
      "characters of the sample after an evaluation", TRAIN, KEPT },
    { "config", "", 0, TEXT, AT(config), 0, 0, "FILE", NULL, folder,
      "take options from a JSON file, such as a run's config.json; the command line wins",
      TRAIN, 0 },
    { "dump-config", "", 0, FLAG, AT(dump_config), 0, 0, "", NULL, folder,
      "print the configuration as JSON and end", TRAIN, 0 },
    { "dry-run", "", 0, FLAG, AT(dry_run), 0, 0, "", NULL, folder,
      "plan, time some steps, report memory, time and baselines, write nothing, end", TRAIN, 0 },

    { "length", "n num-chars", 0, WHOLE, AT(length), 0, BIG, "N", "500", what,
      "characters to write", SAMPLE, 0 },
    { "temperature", "temp", 0, REAL, AT(temperature), 0, 1e6, "X", "0.7", what,
      "below 1 plainer, above 1 wilder; 0 always takes the likeliest", SAMPLE, 0 },
    { "top-k", "topk", 0, WHOLE, AT(top_k), 0, BIG, "N", "0", what,
      "draw among the N likeliest characters; 0 is all", SAMPLE, 0 },
    { "prime", "start seed-text prompt prefix", 0, TEXT, AT(prime), 0, 0, "TEXT", NULL, what,
      "text that the model reads first; it is printed too [a line end]", SAMPLE, 0 },
    { "seed", "random-seed", 0, WHOLE, AT(seed), 0, BIG, "N", "1", what,
      "another seed, another text", SAMPLE, 0 },
    { "batch", "batch-size rows", 0, WHOLE, AT(batch), 1, 65536, "N", "1", what,
      "rows to cut the text into: faster, but each starts without a past", EVAL, 0 },

    { "cell", "model", 0, CHOICE, AT(cell), 0, 0, CELLS, "lstm", what, "recurrent cell",
      GRADCHECK, 0 },
    { "cell", "model", 0, CHOICE, AT(cell), 0, 0, CELLS, NULL, what,
      "explain this cell", INFO, 0 },
    { "hidden", "nhid", 0, WHOLE, AT(hidden), 1, 64, "N", "5", what, "width of the state",
      GRADCHECK, 0 },
    { "input", "", 0, WHOLE, AT(input), 1, 64, "N", "4", what, "width of the input", GRADCHECK, 0 },
    { "layers", "nlayers", 0, WHOLE, AT(layers), 1, 4, "N", "1", what, "layers", GRADCHECK, 0 },
    { "seq-len", "steps bptt", 0, WHOLE, AT(seq_len), 1, 64, "N", "5", what, "time steps",
      GRADCHECK, 0 },
    { "batch", "batch-size rows", 0, WHOLE, AT(batch), 1, 64, "N", "3", what, "rows",
      GRADCHECK, 0 },
    { "steps", "rounds", 0, WHOLE, AT(steps), 1, 100000, "N", "20", what,
      "rounds: runs of the plan with and without timing", PROFILE, 0 },
    { "symbols", "vocab vocabulary", 0, WHOLE, AT(symbols), 1, 65536, "N", "96", what,
      "characters of the made-up text's vocabulary", PROFILE, 0 },
    { "effort", "", 0, CHOICE, AT(effort), 0, 0, "optimize|interpret", "optimize", what,
      "interpret is every node by its reference kernel, without passes", PROFILE, 0 },
    { "disable", "without", 0, TEXT, AT(disable), 0, 0, "PASSES", NULL, what,
      "leave passes out, such as \"batch,fuse\", to see what they bring", PROFILE, 0 },
    { "svg", "plot", 0, TEXT, AT(svg), 0, 0, "FILE", NULL, what,
      "draw bars by kernel and by layer", PROFILE, 0 },
    { "order", "", 0, WHOLE, AT(order), 1, 2, "N", "2", what,
      "2 checks the gradient's own gradient as well, 1 does not", GRADCHECK, 0 },
    { "seed", "random-seed", 0, WHOLE, AT(seed), 0, BIG, "N", "1", what,
      "of weights and data", GRADCHECK, 0 },
    { "threads", "num-threads jobs", 0, WHOLE, AT(threads), 1, 64, "N", NULL, what,
      "results do not depend on it [all cores]", EVAL | SAMPLE | DOCTOR, 0 },
    { "mdoc", "", 0, FLAG, AT(mdoc), 0, 0, "", NULL, what,
      "print the manual page, for man(1)", HELP, 0 },

    { "json", "", 0, FLAG, AT(json), 0, 0, "", NULL, output,
      "results as JSON, one object per line, with \"v\": 1", ALL & ~(COMPLETION | HELP), 0 },
    { "progress", "", 0, CHOICE, AT(progress), 0, 0, "auto|bar|plain|none", "auto", output,
      "how to report on stderr; auto draws a bar on a terminal", TRAIN, 0 },
    { "color", "colour", 0, CHOICE, AT(color), 0, 0, "auto|always|never", "auto", output,
      "colour on stderr; auto heeds NO_COLOR, CLICOLOR_FORCE and TERM", ALL, 0 },
    { "quiet", "silent", 'q', FLAG, AT(quiet), 0, 0, "", NULL, output, "errors only", ALL, 0 },
    { "verbose", "debug", 'v', FLAG, AT(verbose), 0, 0, "", NULL, output,
      "plans, kernels, memory", ALL, 0 },
    { "help", "usage", 'h', FLAG, AT(help), 0, 0, "", NULL, output, "this text", ALL, 0 },
};
const size_t n_options = sizeof options / sizeof *options;

_Static_assert(sizeof options / sizeof *options <= MAX_OPTIONS, "settings.from is too short");
