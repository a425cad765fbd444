// A C program that has no C++ library until a plugin brings one, and loses it again when the plugin is
// closed. Operator new and delete are then looked for in what was not there at the start.
//
// late_operators LIBRARY [rounds]
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static atomic_int stop;
static const char *path;

static void fail(const char *what)
{
	printf("WRONG: %s\n", what);
	exit(1);
}

static void round_trip(void)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail(dlerror());
	int (*catches)(size_t) = (int (*)(size_t))dlsym(library, "plugin_catches");
	void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(library, "plugin_allocate");
	for (int i = 0; i < 50; i++)
		free(allocate(100 * i));
	if (catches(5000))
		fail("bad_alloc without reason");
	if (!catches((size_t)-1 / 2))
		fail("no bad_alloc");
	dlclose(library);
	// Where it was there must be nothing, lest a pointer that was kept lead to the next one by luck.
	for (int i = 0; i < 8; i++)
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void *others(void *unused)
{
	while (!stop)
		round_trip();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[3];
	int rounds = argc > 2 ? atoi(argv[2]) : 300;
	path = argv[1];
	for (int i = 0; i < rounds; i++)
		round_trip();
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, others, NULL);
	for (int i = 0; i < rounds; i++)
		round_trip();
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	puts("end");
	return 0;
}
