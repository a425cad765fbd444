// Allocates steadily until the first argument's seconds are over, and says how long its slowest
// round took. With "threads", four threads do. With "fork", a child does the same.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double end;

__attribute__((noinline)) static char *culprit(size_t size)
{
	char *block = malloc(size);
	memset(block, 1, size);
	return block;
}

static void *work(void *argument)
{
	static char *kept[8][1024];
	char **own = kept[(long)argument];
	for (unsigned i = 0; seconds() < end; i++) {
		free(own[i % 1024]);
		own[i % 1024] = culprit(4000 + i % 1000);
		if (i % 64 == 0)
			usleep(1000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];
	int many = argc > 2 && !strcmp(argv[2], "threads") ? 4 : 0;
	setvbuf(stdout, NULL, _IONBF, 0);
	end = seconds() + atof(argv[1]);
	pid_t child = argc > 2 && !strcmp(argv[2], "fork") ? fork() : -1;
	if (child > 0)
		printf("child=%d\n", child);
	for (long i = 0; i < many; i++)
		pthread_create(&threads[i], NULL, work, (void *)(i + 1));
	work(NULL);
	for (int i = 0; i < many; i++)
		pthread_join(threads[i], NULL);
	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
	puts("end");
	return 0;
}
