/* cli/signals.c -- handlers only set flags. */
#define _POSIX_C_SOURCE 200809L
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal, save_wanted;

static void on_stop(int signal_number)
{
    if (stop_signal)
        _exit(128 + signal_number);
    stop_signal = signal_number;
}

static void on_save(int signal_number)
{
    (void)signal_number;
    save_wanted = 1;
}

void signals_install(void)
{
    static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        struct sigaction before;
        /* what was ignored, as under nohup, stays so */
        if (sigaction(stops[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(stops[i], &action, NULL);
    }
    action.sa_handler = on_save;
    (void)sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL);
}

int signals_stop(void)
{
    return stop_signal;
}

bool signals_stop_asked(void *user)
{
    (void)user;
    return signals_stop() != 0;
}

bool signals_save(void)
{
    bool wanted = save_wanted;
    save_wanted = 0;
    return wanted;
}
