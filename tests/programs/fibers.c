// Contexts whose stacks are not the thread's: between pages that cannot be read, filled with what looks
// like addresses, below the thread's own stack and above it, begun by one thread and resumed by another.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK (16 << 10)
#define PAGE 4096
#define FIBERS 8

static ucontext_t home, fibers[FIBERS];
static int done;

static void churn(void)
{
	for (int i = 0; i < 500; i++) {
		void *volatile block = malloc(i % 2 ? 100 : 30000);
		free(block);
	}
}

static void run(int at)
{
	churn();
	swapcontext(&fibers[at], &home);
	churn();
	void *volatile kept = malloc(70000 + at);
	(void)kept;
	done++;
}

static void make(int at)
{
	char *room = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(room + PAGE, STACK, PROT_READ | PROT_WRITE);
	for (uintptr_t *word = (uintptr_t *)(room + PAGE); word < (uintptr_t *)(room + PAGE + STACK); word++)
		*word = (uintptr_t)churn + (uintptr_t)word % 64;
	getcontext(&fibers[at]);
	fibers[at].uc_stack.ss_sp = room + PAGE;
	fibers[at].uc_stack.ss_size = STACK;
	fibers[at].uc_link = &home;
	makecontext(&fibers[at], (void (*)(void))run, 1, at);
}

static void *resume(void *unused)
{
	for (int i = 0; i < FIBERS; i++)
		swapcontext(&home, &fibers[i]);
	return unused;
}

int main(void)
{
	pthread_t thread;
	for (int i = 0; i < FIBERS; i++)
		make(i);
	resume(NULL);
	pthread_create(&thread, NULL, resume, NULL);
	pthread_join(thread, NULL);
	churn();
	printf("done=%d\n", done);
	return 0;
}
