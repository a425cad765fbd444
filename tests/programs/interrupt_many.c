// Frees hundreds of blocks at once in a signal handler that interrupted the profiler itself, where the
// C library's malloc is not on the stack, and says how much of that memory did not come back.
#define _GNU_SOURCE
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

enum { BLOCKS = 200, SIZE = 1000, ROUNDS = 30 };

static size_t code_start, code_end;
static void *blocks[BLOCKS];
static volatile int full;
static volatile long rounds;

static size_t interrupted(const ucontext_t *context)
{
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_RIP];
#else
	return context->uc_mcontext.pc;
#endif
}

static void handle(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	size_t pc = interrupted(context);
	if (!full || pc < code_start || pc >= code_end)
		return;
	for (int i = 0; i < BLOCKS; i++)
		free(i % 8 ? blocks[i] : realloc(blocks[i], 2 * SIZE));
	full = 0;
	rounds++;
}

static void find_code(void)
{
	char line[600];
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, maps))
		if (strstr(line, "libmalloscope") && strstr(line, "r-xp"))
			sscanf(line, "%zx-%zx", &code_start, &code_end);
	fclose(maps);
}

static void fill(void)
{
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(SIZE);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_RESTART | SA_SIGINFO};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec often = {{0, 31000}, {0, 31000}}, never = {{0}};
	timer_t timer;
	find_code();
	sigaction(SIGALRM, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	fill();
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	size_t before = mallinfo2().uordblks;
	timer_settime(timer, 0, &often, NULL);
	time_t end = time(NULL) + 60;
	while (rounds < ROUNDS && time(NULL) < end) {
		if (!full) {
			fill();
			full = 1;
		}
		for (int i = 0; i < 200; i++)
			free(malloc(300 + i * 7));
	}
	timer_settime(timer, 0, &never, NULL);
	for (int i = 0; full && i < BLOCKS; i++)
		free(blocks[i]);
	long lost = (long)(mallinfo2().uordblks - before);
	printf("rounds=%ld\nlost=%ld\n", rounds, lost > 0 ? lost : 0);
	return 0;
}
