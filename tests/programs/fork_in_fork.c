// Forks in a child, and there again, while a second thread allocates in each; every process keeps a block of
// its own.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define GENERATIONS 4

static void *volatile kept[GENERATIONS];
static volatile int stop;

static void *churn(void *unused)
{
	while (!stop) {
		void *volatile block = malloc(20000);
		free(block);
	}
	return unused;
}

static int live(int generation)
{
	pthread_t thread;
	int status = 0;
	stop = 0;
	pthread_create(&thread, NULL, churn, NULL);
	kept[generation] = malloc(1000000 + generation);
	usleep(5000);
	if (generation + 1 < GENERATIONS) {
		pid_t child = fork();
		if (child == 0)
			exit(live(generation + 1));
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 1;
	}
	stop = 1;
	pthread_join(thread, NULL);
	return status != 0;
}

int main(void)
{
	return live(0);
}
