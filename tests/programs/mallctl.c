// Steers its profiler by mallctl, as programs of jemalloc do, and says what it was told.
//
// mallctl there          is there a mallctl?
// mallctl calls|numbers  every name in every wrong way, by name or by number
// mallctl others         names that are the allocator's
// mallctl one            one dump
// mallctl work|threads   switches, names, dumps; alone, or beside another thread
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WEAK __attribute__((weak))
WEAK int mallctl(const char *, void *, size_t *, void *, size_t);
WEAK int mallctlnametomib(const char *, size_t *, size_t *);
WEAK int mallctlbymib(const size_t *, size_t, void *, size_t *, void *, size_t);
WEAK void *mallocx(size_t, int);

extern char __start_tracked[], __stop_tracked[];
static int by_number;

static int ctl(const char *name, void *old, size_t *length, void *new, size_t new_length)
{
	size_t mib[8], parts = 8;
	errno = 77;
	int result = by_number ? mallctlnametomib(name, mib, &parts) : mallctl(name, old, length, new, new_length);
	if (by_number && result == 0)
		result = mallctlbymib(mib, parts, old, length, new, new_length);
	if (errno != 77)
		printf("WRONG errno %d after %s\n", errno, name);
	return result;
}

static int set(const char *name, void *new, size_t length)
{
	return ctl(name, NULL, NULL, new, length);
}

static int set_flag(const char *name, bool value)
{
	return set(name, &value, 1);
}

static int set_text(const char *name, const char *text)
{
	return set(name, &text, sizeof text);
}

// A read into room of `length` bytes, and what arrived.
static void look(const char *name, size_t length)
{
	uint64_t value = 0xeeeeeeeeeeeeeeee;
	int result = ctl(name, &value, &length, NULL, 0);
	printf("%s: %d, %zu, %llx\n", name, result, length, (unsigned long long)value);
}

static void look_text(const char *name)
{
	const char *text = "none";
	size_t length = sizeof text;
	int result = ctl(name, &text, &length, NULL, 0);
	printf("%s: %d, \"%s\"\n", name, result, text);
}

static void misuse(void)
{
	static const char *const flags[] = {"prof.active", "prof.gdump", "prof.thread_active_init", "thread.prof.active"};
	static const char *const fixed[] = {"config.prof", "opt.prof", "opt.prof_active", "opt.prof_thread_active_init",
		"opt.prof_gdump", "opt.prof_final", "opt.prof_leak", "opt.prof_leak_error", "opt.prof_accum",
		"opt.prof_sys_thread_name", "opt.lg_prof_sample", "opt.lg_prof_interval", "prof.interval", "prof.lg_sample"};
	bool off = false, on = true;
	uint64_t wide = 1;
	for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
		for (size_t length = 0; length < 10; length += length < 2 ? 1 : 3)
			look(flags[i], length);
		uint64_t old = 0;
		size_t length = 1;
		printf("%d %d", set(flags[i], &wide, 8), ctl(flags[i], &old, &length, &off, 1));
		printf(" was %d, %d", (int)old, ctl(flags[i], NULL, NULL, NULL, 0));
		length = 2;
		printf(" %d", ctl(flags[i], &old, &length, &on, 1));
		printf(" %zu %d\n", length, ctl(flags[i], &old, NULL, NULL, 0));
		look(flags[i], 1);
	}
	for (unsigned i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		for (size_t length = 0; length < 10; length += length < 2 ? 1 : 3)
			look(fixed[i], length);
		printf("%d %d\n", set(fixed[i], &wide, 8), set(fixed[i], NULL, 1));
	}
	static const char *const written[] = {"prof.dump", "prof.prefix", "prof.reset"};
	for (unsigned i = 0; i < sizeof written / sizeof *written; i++) {
		look(written[i], 8);
		printf("%d %d\n", set(written[i], &wide, 1), ctl(written[i], NULL, (size_t *)&wide, NULL, 0));
	}
	printf("%d\n", set_text("prof.dump", "/nowhere/at/all"));
	size_t lg = 70;
	printf("%d %d\n", set("prof.reset", NULL, 0), set("prof.reset", &lg, sizeof lg));
	look("prof.lg_sample", 8);
	look_text("opt.prof_prefix");
	look_text("thread.prof.name");
	printf("%d\n", set_text("thread.prof.name", "worker one"));
	look_text("thread.prof.name");
	printf("%d %d\n", set_text("thread.prof.name", "a\nb"), set("thread.prof.name", &wide, 4));
	const char *text = "both";
	size_t length = sizeof text;
	printf("%d\n", ctl("thread.prof.name", &text, &length, &text, sizeof text));
	look_text("thread.prof.name");
	printf("%d\n", set_text("thread.prof.name", ""));
	look_text("thread.prof.name");
	static const char *const no[] = {"prof", "prof.", "prof.no", "thread.prof", "prof.dump.no", "opt.prof_no", ""};
	for (unsigned i = 0; i < sizeof no / sizeof *no; i++)
		look(no[i], 8);
}

static void others(void)
{
	uint64_t epoch = 1;
	printf("epoch %d\n", set("epoch", &epoch, sizeof epoch));
	for (by_number = 0; by_number < 2; by_number++) {
		look_text("version");
		look("arenas.quantum", 8);
		look("arenas.nbins", 4);
		look("opt.abort", 1);
		look("no.such", 8);
		look("config.stats", 1);
		size_t length = sizeof(size_t), allocated = 0;
		int result = ctl("stats.allocated", &allocated, &length, NULL, 0);
		printf("stats.allocated %d %d\n", result, allocated > 0);
		printf("purge %d\n", ctl("arena.0.purge", NULL, NULL, NULL, 0));
	}
	// A number whose parts the program itself fills in.
	size_t mib[4], parts = 4, size;
	printf("%d", mallctlnametomib("arenas.bin.0.size", mib, &parts));
	for (mib[2] = 0; mib[2] < 3; mib[2]++) {
		size_t length = sizeof size;
		int result = mallctlbymib(mib, parts, &size, &length, NULL, 0);
		printf(" %zu: %d %zu", mib[2], result, size);
	}
	parts = 2;
	printf("\n%d %zu\n", mallctlnametomib("stats.arenas", mib, &parts), parts);
	parts = 1;
	printf("%d %zu", mallctlnametomib("prof.dump", mib, &parts), parts);
	printf(" %d %d\n", mallctlbymib(mib, parts, NULL, NULL, NULL, 0), mallctlbymib(mib, 0, NULL, NULL, NULL, 0));
}

#define KEEP(name, size) \
	__attribute__((noinline, section("tracked"))) static void name(void) \
	{ \
		*(volatile char *)malloc(size) = 1; \
	}

KEEP(unseen, 1001)
KEEP(seen, 1002)
KEEP(silent, 1003)
KEEP(again, 1004)
KEEP(silent_thread, 1005)
KEEP(loud_thread, 1006)
KEEP(off, 1007)
KEEP(after_reset, 1008)

static void *worker(void *arg)
{
	bool active = true;
	size_t length = sizeof active;
	ctl("thread.prof.active", &active, &length, NULL, 0);
	printf("thread active %d\n", active);
	silent_thread();
	if (arg) {
		set_flag("thread.prof.active", true);
		printf("named %d\n", set_text("thread.prof.name", "a loud worker"));
	}
	loud_thread();
	return NULL;
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static void dump(const char *name)
{
	printf("dump %s %d\n", name ? name : "NULL", set_text("prof.dump", name));
}

static void work(void)
{
	pthread_t thread;
	unseen();
	printf("on %d\n", set_flag("prof.active", true));
	seen();
	set_flag("thread.prof.active", false);
	silent();
	set_flag("thread.prof.active", true);
	again();
	set_flag("prof.thread_active_init", false);
	pthread_create(&thread, NULL, worker, (void *)1);
	pthread_join(thread, NULL);
	set_flag("prof.active", false);
	off();
	set_flag("prof.active", true);
	dump("first.heap");
	dump(NULL);
	printf("prefix %d\n", set_text("prof.prefix", "other"));
	dump(NULL);
	printf("prefix %d\n", set_text("prof.prefix", ""));
	dump(NULL);
	dump("/nowhere/at/all");
	// jemalloc 5.3.0 itself dies of the first.
	printf("null %d %d\n", set("prof.prefix", NULL, 0), set_text("thread.prof.name", NULL));

	// A file that is there already, open, and longer.
	int file = open("there.heap", O_RDWR | O_CREAT, 0640);
	for (int i = 0; i < 100000; i++)
		if (write(file, "0123456789abcdef\n", 17) != 17)
			puts("WRONG write");
	dump("there.heap");
	char line[8] = "";
	printf("by descriptor %d %.7s\n", (int)pread(file, line, 7, 0), line);

	printf("reset %d\n", set("prof.reset", NULL, 0));
	dump("empty.heap");
	after_reset();
	dump("last.heap");
	printf("tracked=%p-%p\n", (void *)__start_tracked, (void *)__stop_tracked);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "there";
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("weak=%d%d%d dlsym=%d same=%d\n", mallctl != NULL, mallctlnametomib != NULL, mallctlbymib != NULL,
		dlsym(RTLD_DEFAULT, "mallctl") != NULL, (void *)mallctl == dlsym(RTLD_DEFAULT, "mallctl"));
	by_number = !strcmp(what, "numbers");
	if (!strcmp(what, "calls") || by_number)
		misuse();
	if (!strcmp(what, "others"))
		others();
	pthread_t other;
	if (!strcmp(what, "threads"))
		pthread_create(&other, NULL, sleeper, NULL);
	if (!strcmp(what, "one"))
		dump("first.heap");
	if (!strcmp(what, "work") || !strcmp(what, "threads"))
		work();
	return 0;
}
