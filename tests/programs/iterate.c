// Callbacks of dl_iterate_phdr that allocate under the loader's lock, backtraces, and a library that
// comes and goes, while other threads allocate.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 1500

static const char *plugin;
static volatile int done;
static int callbacks;

static int callback(struct dl_phdr_info *info, size_t size, void *depth)
{
	char *block = malloc(size * 100 + info->dlpi_phnum);
	if (depth && callbacks % 16 == 0)
		dl_iterate_phdr(callback, NULL);
	__atomic_fetch_add(&callbacks, 1, __ATOMIC_RELAXED);
	free(realloc(block, 9000));
	return 0;
}

static void *iterate(void *depth)
{
	for (int i = 0; i < ROUNDS; i++)
		dl_iterate_phdr(callback, depth);
	return NULL;
}

static void *allocate(void *unused)
{
	void *frames[32];
	while (!done)
		for (int i = 0; i < 500; i++)
			free(malloc(i * 40 + backtrace(frames, 32)));
	return unused;
}

static void *reload(void *unused)
{
	while (!done) {
		void *library = dlopen(plugin, RTLD_NOW);
		if (library)
			dlclose(library);
	}
	return unused;
}

int main(int count, char **arguments)
{
	pthread_t threads[5];
	plugin = arguments[count - 1];
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, i < 2 ? allocate : reload, NULL);
	for (int i = 3; i < 5; i++)
		pthread_create(&threads[i], NULL, iterate, &threads);
	for (int i = 5; i-- > 0; done = i <= 3)
		pthread_join(threads[i], NULL);
	printf("callbacks=%d\n", callbacks);
	return 0;
}
