// malloc where there is little stack: threads of 16 KiB, a signal handler on a small alternative stack
// that interrupts malloc itself, and a context on a stack that came from malloc.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#define STACK (16 << 10)

static volatile sig_atomic_t handled;
static ucontext_t home, fiber;

static void *churn(void *unused)
{
	for (int i = 0; i < 3000; i++) {
		void *block = malloc(i % 700 * 16);
		void *volatile grown = realloc(block, i % 500 * 20 + 1);
		free(grown);
	}
	return unused;
}

// The C library does not allow this; programs do it, and it goes well as long as malloc is only
// interrupted where no lock is held: here below usleep.
static void handle(int signal)
{
	(void)signal;
	churn(NULL);
	handled++;
}

static void on_fiber(void)
{
	churn(NULL);
}

static void run_threads(void)
{
	pthread_t threads[8];
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], &attributes, churn, NULL))
			puts("WRONG: pthread_create");
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

static void run_handler(void)
{
	// A guard page below, so that one byte too much is seen.
	char *room = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(room, 4096, PROT_NONE);
	stack_t stack = {.ss_sp = room + 4096, .ss_size = 2 * 4096};
	sigaltstack(&stack, NULL);
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 20; i++)
		raise(SIGUSR1);
}

int main(void)
{
	run_threads();
	run_handler();
	getcontext(&fiber);
	fiber.uc_stack.ss_sp = malloc(STACK);
	fiber.uc_stack.ss_size = STACK;
	fiber.uc_link = &home;
	makecontext(&fiber, on_fiber, 0);
	swapcontext(&home, &fiber);
	free(fiber.uc_stack.ss_sp);
	printf("handled %d\n", (int)handled);
	return 0;
}
