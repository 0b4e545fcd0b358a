/* Stands in for the program: two processes under its path, as S66octoapp expects them.
 *
 * STAND_IN is a list of words: exit3, hang, ignore-term, no-worker, watch-each-other, status-hang.
 * STAND_IN_NOTES is a file that gets a line for each thing that happens. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t terminated, reloaded;

static void on_signal(int signal) {
    if (signal == SIGHUP) reloaded = 1;
    else terminated = 1;
}

static int told(const char *word) {
    const char *words = getenv("STAND_IN");
    return words && strstr(words, word) != NULL;
}

static void note(const char *text, const char *more) {
    const char *path = getenv("STAND_IN_NOTES");
    char line[4096];
    int file, length;
    if (!path) return;
    file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (file < 0) return;
    length = snprintf(line, sizeof line, "%s%s%s\n", text, *more ? " " : "", more);
    if (write(file, line, length) != length) _exit(9);
    close(file);
}

static pid_t become(const char *name, const char *word) {
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", name, word, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void listen_to(int signal) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(signal, &action, NULL);
}

static int worker(void) {
    pid_t supervisor = getppid();
    if (told("ignore-term")) signal(SIGTERM, SIG_IGN);
    for (;;) {
        usleep(10000);
        if (getppid() != supervisor && told("watch-each-other")) {
            become("octobridge", "run");
            return 0;
        }
    }
}

static int run(const char *bootstrap) {
    const char *pid_path = getenv("OCTOBRIDGE_PID_FILE");
    char text[32];
    pid_t child = 0;
    int file;
    char where[4096];
    note("run", bootstrap);
    note("home", getenv("HOME") ? getenv("HOME") : "");
    note("directory", getcwd(where, sizeof where) ? where : "");
    if (told("exit3")) return 3;
    if (told("hang")) for (;;) pause();
    if (told("ignore-term")) signal(SIGTERM, SIG_IGN);
    else listen_to(SIGTERM);
    listen_to(SIGHUP);
    if (!told("no-worker")) child = become("moonraker_octoapp", "worker");
    /* In place, and no new file: /var/run belongs to root. */
    file = open(pid_path, O_WRONLY | O_TRUNC);
    if (file < 0) {
        note("pid file", strerror(errno));
        return 1;
    }
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (write(file, text, strlen(text)) < 0) return 1;
    close(file);
    note("ready", "");
    for (;;) {
        usleep(10000);
        if (reloaded) {
            reloaded = 0;
            note("reload", "");
        }
        if (terminated) {
            if (child > 0) {
                kill(child, SIGKILL);
                waitpid(child, NULL, 0);
            }
            note("stopped", "");
            return 0;
        }
        if (child > 0 && waitpid(child, NULL, WNOHANG) == child) {
            if (!told("watch-each-other")) return 1;
            child = become("moonraker_octoapp", "worker");
        }
    }
}

int main(int count, char **words) {
    const char *command = count > 1 ? words[1] : "";
    if (strcmp(command, "worker") == 0) return worker();
    if (strcmp(command, "run") == 0) return run(count > 2 ? words[2] : "");
    if (strcmp(command, "linger") == 0) for (;;) pause();
    if (strcmp(command, "status") == 0) {
        puts("octobridge: as the stand-in says");
        fflush(stdout);
        if (told("status-hang")) {
            signal(SIGTERM, SIG_IGN);
            for (;;) pause();
        }
        return getenv("STAND_IN_STATUS") ? atoi(getenv("STAND_IN_STATUS")) : 0;
    }
    return 2;
}
