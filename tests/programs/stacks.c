// Leaks one block through each of several known chains of calls: plain, below a callback that the C
// library calls, in a signal handler, in a thread, in a deep recursion. Each is larger than any period.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
#define BIG (64 << 20)

static void *volatile kept;
static volatile int one = 1;

NOINLINE void leak_plain(void) { kept = malloc(BIG + 1); one = 1; }
NOINLINE void gamma_chain(void) { leak_plain(); one = 1; }
NOINLINE void beta_chain(void) { char room[1000]; kept = room; gamma_chain(); one = 1; }
NOINLINE void alpha_chain(int n) { char *room = __builtin_alloca(n * 64); kept = room; beta_chain(); one = 1; }

NOINLINE int leak_comparing(const void *a, const void *b)
{
	(void)a, (void)b;
	kept = malloc(BIG + 2);
	return one;
}

NOINLINE void sort_chain(void)
{
	int two[2] = {2, 1};
	qsort(two, 2, sizeof *two, leak_comparing);
	one = 1;
}

NOINLINE void leak_handling(int signal)
{
	(void)signal;
	kept = malloc(BIG + 3);
	one = 1;
}

NOINLINE void raise_chain(void)
{
	signal(SIGUSR1, leak_handling);
	raise(SIGUSR1);
	one = 1;
}

NOINLINE void leak_zeroed(void) { kept = calloc(1, BIG + 4); one = 1; }
NOINLINE void *thread_chain(void *unused)
{
	leak_zeroed();
	one = 1;
	return unused;
}

NOINLINE void recurse(int depth)
{
	if (depth)
		recurse(depth - 1);
	else
		kept = realloc(NULL, BIG + 5);
	one = 1;
}

int main(void)
{
	alpha_chain(one * 7);
	sort_chain();
	raise_chain();
	pthread_t thread;
	pthread_create(&thread, NULL, thread_chain, NULL);
	pthread_join(thread, NULL);
	recurse(40);
	return 0;
}
