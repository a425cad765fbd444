// Forks again and again, by every way there is, while other threads allocate, free and sample. A child
// that inherits a held lock hangs, and the test with it.
//
// fork.c [iterations]; with a second argument the last child leaks a block of 5,000,000 bytes and both
// exit in order, for their dumps to be looked at.
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 3

extern char **environ;
static atomic_int stop;
static void *volatile kept;

static void churn(int steps)
{
	void *blocks[64] = {0};
	for (int i = 0; i < steps; i++) {
		blocks[i % 64] = realloc(blocks[i % 64], 16 + i * 37 % 9000);
		if (i % 5 == 0) {
			free(blocks[i * 7 % 64]);
			blocks[i * 7 % 64] = NULL;
		}
	}
	for (int i = 0; i < 64; i++)
		free(blocks[i]);
}

static void *work(void *unused)
{
	while (!stop)
		churn(500);
	return unused;
}

static void check_end(pid_t child, int expected)
{
	int status = -1;
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != expected) {
		printf("WRONG: child %d, status %x\n", child, status);
		exit(1);
	}
}

static void *work_once(void *unused)
{
	churn(500);
	return unused;
}

// A child may allocate, start threads, and fork again.
static void live(int depth)
{
	pthread_t thread;
	churn(2000);
	pthread_create(&thread, NULL, work_once, NULL);
	pthread_join(thread, NULL);
	if (depth == 0)
		return;
	pid_t grandchild = fork();
	if (grandchild == 0) {
		live(depth - 1);
		_exit(5);
	}
	check_end(grandchild, 5);
}

static void spawn(void)
{
	char *command[] = {"/bin/true", NULL};
	pid_t child;
	if (posix_spawn(&child, command[0], NULL, NULL, command, environ) == 0)
		check_end(child, 0);
	child = vfork();
	if (child == 0) {
		execv(command[0], command);
		_exit(127);
	}
	check_end(child, 0);
	if (system("exit 3") >> 8 != 3)
		puts("WRONG: system");
}

int main(int argc, char **argv)
{
	int iterations = argc > 1 ? atoi(argv[1]) : 200;
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < iterations; i++) {
		// _Fork runs no atfork handler; POSIX allows its child little, but many allocate all the same once
		// the process has one thread: here only what needs no lock of the C library.
		pid_t child = i % 4 == 3 ? _Fork() : fork();
		if (child == 0) {
			if (i % 4 != 3)
				live(i % 16 == 0);
			_exit(4);
		}
		check_end(child, 4);
		if (i % 20 == 0)
			spawn();
	}
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	fflush(stdout);
	kept = malloc(3000000);
	pid_t child = argc > 2 ? fork() : 0;
	if (argc > 2 && child == 0) {
		kept = malloc(5000000);
		exit(6);
	}
	if (argc > 2) {
		check_end(child, 6);
		printf("child=%d\n", child);
	}
	puts("end");
	return 0;
}
