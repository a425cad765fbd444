// Writes to a descriptor that it closed, while another thread makes dumps: every write must fail.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int stop;

static void *churn(void *unused)
{
	for (int i = 0; i < 10000; i++) {
		void *volatile block = malloc(100000);
		free(block);
		if (i % 100 == 0)
			usleep(1000);
	}
	stop = 1;
	return unused;
}

int main(void)
{
	pthread_t thread;
	long written = 0;
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	pthread_create(&thread, NULL, churn, NULL);
	while (!stop)
		for (int fd = 3; fd < 8; fd++)
			written += write(fd, "text\n", 5) == 5;
	pthread_join(thread, NULL);
	printf("written=%ld\n", written);
	return 0;
}
