// Holds some memory and waits for a signal to end it.
//
//   patient          until somebody has SIGINT, for at most 20 s; says "ready", and waits a minute
//   patient ignore   ignores SIGINT and SIGTERM; says "ready", and waits for a line of its standard input
//   patient handle   ends by its own handler of SIGINT and SIGTERM, with 9
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void *volatile kept[64];

__attribute__((noinline)) static void hold(int blocks)
{
	static int count;
	for (; blocks > 0; blocks--) {
		kept[count] = malloc(256 << 10);
		memset(kept[count++], 1, 256 << 10);
	}
}

static void nap(void)
{
	struct timespec left = {0, 50000000};
	while (nanosleep(&left, &left) == -1)
		;
}

static int is_default(int signal)
{
	struct sigaction now;
	sigaction(signal, NULL, &now);
	return now.sa_handler == SIG_DFL;
}

static void leave(int signal)
{
	(void)signal;
	exit(9);
}

int main(int count, char **arguments)
{
	const char *how = count > 1 ? arguments[1] : "";
	void (*handler)(int) = !strcmp(how, "ignore") ? SIG_IGN : !strcmp(how, "handle") ? leave : SIG_DFL;
	signal(SIGINT, handler);
	signal(SIGTERM, handler);
	hold(16);
	for (int i = 0; i < 400 && is_default(SIGINT); i++)
		nap();
	hold(16);
	puts("ready");
	fflush(stdout);
	char line[80];
	if (handler == SIG_IGN && fgets(line, sizeof line, stdin)) {
		printf("read %s", line);
		return 4;
	}
	for (int i = 0; i < 1200; i++)
		nap();
	return 5;
}
