// Children that no handler sees, made before the program was sampled at all: one with memory of its own (raw
// clone), one in its parent's (vfork). Each allocates enough to be the first that is sampled.
//
// early_fork.c own|borrowed
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;

static void leak(size_t size)
{
	kept = malloc(size);
	memset(kept, 1, size);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	int is_own = !strcmp(argv[1], "own");
	pid_t child = is_own ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : vfork();
	if (child == 0) {
		leak(20000000);
		if (is_own)
			exit(0);
		_exit(0);
	}
	int status = -1;
	if (waitpid(child, &status, 0) != child || status)
		return 1;
	if (!is_own)
		leak(30000000);
	printf("pid=%d\nchild=%d\n", getpid(), child);
	return 0;
}
