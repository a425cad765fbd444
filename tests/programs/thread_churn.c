// So many threads, one after the other, each on a stack at another address.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STACK (128UL << 10)
#define PLACES 4096UL

static void *work(void *unused)
{
	void *volatile block = malloc(1 << 20);
	free(block);
	return unused;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 1000;
	char *room = mmap(NULL, STACK * PLACES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	for (long i = 0; i < threads; i++) {
		pthread_t thread;
		pthread_attr_setstack(&attributes, room + i % PLACES * STACK, STACK);
		if (pthread_create(&thread, &attributes, work, NULL))
			puts("WRONG: pthread_create");
		pthread_join(thread, NULL);
	}
	void *volatile kept = malloc(3000000);
	return kept == NULL;
}
