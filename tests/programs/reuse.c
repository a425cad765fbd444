// Closes every descriptor it did not open and opens files of its own, again and again, while another
// thread makes dumps. Nobody else may write into its files, or close them.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES 4

static void *churn(void *unused)
{
	for (;;) {
		void *volatile block = malloc(100000);
		free(block);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	int spoiled = 0, lost = 0;
	for (int i = 0; i < 2000; i++) {
		void *volatile kept = malloc(5000 + i);
		(void)kept;
	}
	pthread_create(&thread, NULL, churn, NULL);
	for (int i = 0; i < 500; i++) {
		int files[FILES];
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		for (int k = 0; k < FILES; k++) {
			char name[] = {'o', 'w', 'n', '0' + k, 0};
			files[k] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
		}
		usleep(1500);
		for (int k = 0; k < FILES; k++) {
			off_t end = lseek(files[k], 0, SEEK_END);
			lost += end < 0;
			spoiled += end > 0;
		}
	}
	dprintf(STDOUT_FILENO, "spoiled=%d\nlost=%d\n", spoiled, lost);
	_exit(0);
}
