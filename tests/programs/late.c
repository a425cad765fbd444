// malloc and free before main and after it: constructors, destructors of threads' keys, exit handlers,
// destructors of the program, and an exit from a second thread.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t key;
static char *early, *from_thread;

static void use(const char *when)
{
	for (int i = 0; i < 2000; i++)
		free(realloc(malloc(i), 2 * i + 1));
	fprintf(stderr, "%s\n", when);
}

__attribute__((constructor)) static void construct(void)
{
	early = strdup("allocated before main");
	use("constructor");
}

__attribute__((destructor)) static void destruct(void)
{
	fprintf(stderr, "%s\n", early);
	free(early);
	free(from_thread);
	use("destructor");
}

static void at_exit(void)
{
	use("exit handler");
}

// glibc calls a key's destructor again as long as it leaves a value, four times at most.
static void end_of_thread(void *block)
{
	free(block);
	use("key");
	pthread_setspecific(key, malloc(5000));
}

static void *thread(void *quit)
{
	pthread_setspecific(key, malloc(70000));
	from_thread = malloc(600000);
	if (quit)
		exit(3);
	return NULL;
}

int main(void)
{
	pthread_t id;
	atexit(at_exit);
	pthread_key_create(&key, end_of_thread);
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	free(from_thread);
	pthread_create(&id, NULL, thread, "quit");
	pthread_join(id, NULL);
	return 1;
}
