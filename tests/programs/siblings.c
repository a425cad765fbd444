// Children of one parent, or threads one after the other, that all do the same and little of it. Each
// keeps so many blocks of 1000 bytes.
//
// siblings.c fork|thread NUMBER BLOCKS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static long blocks;
static void *volatile kept;

static void *leak(void *unused)
{
	for (long i = 0; i < blocks; i++)
		kept = malloc(1000);
	return unused;
}

static void start_child(void)
{
	pid_t child = fork();
	if (child == 0) {
		leak(NULL);
		exit(0);
	}
	int status = -1;
	if (waitpid(child, &status, 0) != child || status)
		abort();
}

static void start_thread(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, leak, NULL))
		abort();
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	blocks = atol(argv[3]);
	for (int i = atoi(argv[2]); i > 0; i--)
		strcmp(argv[1], "fork") ? start_thread() : start_child();
	printf("bytes=%ld\n", atol(argv[2]) * blocks * 1000);
	return 0;
}
