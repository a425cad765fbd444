// A daemon that gives the numbers 0 to 2 to files of its own, after which a dump fails.
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *churn(void *unused)
{
	for (int i = 0; i < 1000; i++) {
		void *volatile block = malloc(100000);
		free(block);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	for (int k = 0; k < 3; k++) {
		char name[] = {'o', 'w', 'n', '0' + k, 0};
		if (open(name, O_RDWR | O_CREAT | O_TRUNC, 0600) != k)
			return 1;
	}
	churn(NULL);
	pthread_create(&thread, NULL, churn, NULL);
	pthread_join(thread, NULL);
	for (int fd = 0; fd < 3; fd++)
		if (lseek(fd, 0, SEEK_END) != 0)
			return 2;
	return 0;
}
