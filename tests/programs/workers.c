// Children one after the other, each of which keeps so many kilobytes for so many milliseconds.
//
// workers.c fork|exec NUMBER KILOBYTES MILLISECONDS
// workers.c keep KILOBYTES MILLISECONDS       one such child, by itself
// workers.c heir KILOBYTES MILLISECONDS       one whose parent is gone before it ends
// workers.c held NUMBER KILOBYTES             the first child stays as long as the parent
//
// The parent keeps 4 MB before.
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static void *volatile kept;

static void keep(long kilobytes)
{
	for (; kilobytes > 0; kilobytes--)
		kept = malloc(1024);
}

static int work(const char *kilobytes, const char *milliseconds)
{
	keep(atol(kilobytes));
	usleep(atol(milliseconds) * 1000);
	return 0;
}

static pid_t start(char **argv)
{
	pid_t child;
	char *command[] = {argv[0], "keep", argv[3], argv[4], NULL};
	if (strcmp(argv[1], "exec") == 0)
		return posix_spawn(&child, "/proc/self/exe", NULL, NULL, command, environ) ? -1 : child;
	child = fork();
	if (child == 0)
		exit(work(argv[3], argv[4]));
	return child;
}

static void check_end(pid_t child)
{
	int status = -1;
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		abort();
}

static int heir(char **argv)
{
	pid_t parent = getpid();
	pid_t child = fork();
	if (child != 0)
		_exit(child < 0);
	while (getppid() == parent)
		usleep(1000);
	return work(argv[2], argv[3]);
}

static int held(char **argv)
{
	pid_t first = fork();
	if (first == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(argv[3], "0");
		for (;;)
			pause();
	}
	printf("held=%d\n", first);
	sleep(1);
	for (int i = atoi(argv[2]); i > 0; i--) {
		pid_t child = fork();
		if (child == 0)
			exit(work(argv[3], "0"));
		check_end(child);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	if (strcmp(argv[1], "keep") == 0)
		return work(argv[2], argv[3]);
	keep(4096);
	printf("pid=%d\n", getpid());
	fflush(stdout);
	if (strcmp(argv[1], "heir") == 0)
		return heir(argv);
	if (strcmp(argv[1], "held") == 0)
		return held(argv);
	for (int i = atoi(argv[2]); i > 0; i--)
		check_end(start(argv));
	return 0;
}
