// Forks while another thread makes dumps: a child looks which descriptors it has.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *churn(void *unused)
{
	for (;;) {
		void *volatile block = malloc(100000);
		free(block);
	}
	return unused;
}

static int has_descriptors(void)
{
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 1;
	return 0;
}

int main(void)
{
	pthread_t thread;
	int inherited = 0;
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	for (int i = 0; i < 2000; i++) {
		void *volatile kept = malloc(5000 + i);
		(void)kept;
	}
	pthread_create(&thread, NULL, churn, NULL);
	for (int i = 0; i < 200; i++) {
		int status = -1;
		pid_t child = fork();
		if (child == 0)
			_exit(has_descriptors());
		waitpid(child, &status, 0);
		inherited += status != 0;
	}
	dprintf(STDOUT_FILENO, "inherited=%d\n", inherited);
	_exit(0);
}
