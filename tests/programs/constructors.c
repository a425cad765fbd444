// Starts after the constructors of two libraries that allocated from inside the loader, and asks the
// loader for more, from several threads.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int first(void);
int second(void);

static void *ask(void *unused)
{
	for (int i = 0; i < 2000; i++) {
		dlsym(RTLD_DEFAULT, "a_function_that_nobody_defines");
		free(malloc(dlerror() ? 3000 : 1));
		if (dlopen("libnone.so.77", RTLD_NOW) || !dlerror())
			puts("WRONG");
	}
	return unused;
}

int main(void)
{
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, ask, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("constructed=%d\n", first() && second());
	return 0;
}
