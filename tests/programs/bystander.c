// Looks for traces of a profiler: handlers, timers, blocked signals, threads it did not make that take
// its signals, system calls of its own that end with EINTR.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static pid_t own[2];
static volatile long strange, taken;
static volatile int stop;

static void handle(int signal)
{
	(void)signal;
	taken++;
	strange += gettid() != own[0] && gettid() != own[1];
}

static void *churn(void *unused)
{
	own[1] = gettid();
	while (!stop) {
		void *volatile block = malloc(100000);
		free(block);
	}
	return unused;
}

static int handlers(void)
{
	int found = 0;
	for (int signal = 1; signal < NSIG; signal++) {
		struct sigaction action;
		if (sigaction(signal, NULL, &action) == 0)
			found += action.sa_handler != SIG_DFL && signal != SIGUSR1;
	}
	return found;
}

static int timers(void)
{
	int found = 0;
	for (int kind = ITIMER_REAL; kind <= ITIMER_PROF; kind++) {
		struct itimerval timer;
		getitimer(kind, &timer);
		found += timer.it_value.tv_sec || timer.it_value.tv_usec;
	}
	return found;
}

int main(void)
{
	pthread_t thread;
	sigset_t blocked;
	int ends[2], interrupted = 0;
	char text;
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	own[0] = gettid();
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, churn, NULL);
	while (!own[1])
		usleep(1000);
	for (int i = 0; i < 20000; i++) {
		kill(getpid(), SIGUSR1);
		if (i % 100 == 0)
			interrupted += pipe(ends) || write(ends[1], "x", 1) != 1 || read(ends[0], &text, 1) != 1 ||
				       close(ends[0]) || close(ends[1]);
	}
	stop = 1;
	pthread_join(thread, NULL);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	printf("taken=%d\nstrange=%ld\ninterrupted=%d\nhandlers=%d\ntimers=%d\nblocked=%d\n", taken > 0, strange, interrupted,
	       handlers(), timers(), !sigisemptyset(&blocked));
	return 0;
}
