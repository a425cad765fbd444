// Allocates, resizes and frees in a signal handler on an alternate stack whenever it interrupted the
// profiler itself, where the C library's malloc is not on the stack.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

static size_t code_start, code_end;
static volatile long signals, inside;
static void *volatile slot;

static size_t interrupted(const ucontext_t *context)
{
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_RIP];
#else
	return context->uc_mcontext.pc;
#endif
}

static void *take(void *block)
{
	return __atomic_exchange_n(&slot, block, __ATOMIC_SEQ_CST);
}

static void handle(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	signals++;
	size_t pc = interrupted(context);
	if (pc < code_start || pc >= code_end)
		return;
	int before = errno;
	inside++;
	void *block = take(NULL);
	if (block && inside % 2)
		block = realloc(block, 20000);
	free(block);
	char *own = malloc(inside % 3 * 40000);
	free(take(own));
	errno = before;
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

int main(void)
{
	// A guard page would need twice the usual minimum on machines with wide vector registers.
	static char room[16 << 10];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_ONSTACK | SA_RESTART | SA_SIGINFO};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec often = {{0, 31000}, {0, 31000}}, never = {{0}};
	timer_t timer;
	find_code();
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	time_t end = time(NULL) + 3;
	while (time(NULL) < end)
		for (int i = 0; i < 200; i++)
			free(take(malloc(3000 + i * 7)));
	timer_settime(timer, 0, &never, NULL);
	free(take(NULL));
	void *volatile kept = malloc(3000000);
	printf("signals=%ld\ninside=%ld\n", signals, inside);
	return kept == NULL;
}
