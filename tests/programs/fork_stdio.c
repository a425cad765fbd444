// Forks while another thread allocates below fflush(NULL), which holds the lock of stdio's list of
// streams. fork takes that lock after it has called the handlers.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static ssize_t take(void *unused, const char *text, size_t length)
{
	(void)unused, (void)text;
	for (int i = 0; i < 20; i++) {
		void *volatile block = malloc(5000);
		free(block);
	}
	return length;
}

static void *print(void *unused)
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take});
	for (;;) {
		fputs("text", stream);
		fflush(NULL);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, print, NULL);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	if (write(STDOUT_FILENO, "end\n", 4) != 4)
		return 1;
	_exit(0);
}
