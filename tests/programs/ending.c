// Ends in one of the ways there are, in the midst of allocations, with an idle second thread.
//
// ending.c _exit|quick_exit|abort|term|handler|pthread_exit|overflow|caught
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *volatile kept;

static void churn(void)
{
	for (int i = 0; i < 3000; i++) {
		void *volatile block = malloc(10000);
		if (i % 10 == 0)
			kept = malloc(300);
		free(block);
	}
}

static void *idle(void *unused)
{
	pause();
	return unused;
}

static void *last(void *main_thread)
{
	pthread_join(*(pthread_t *)main_thread, NULL);
	churn();
	return NULL;
}

static void leave(int signal)
{
	(void)signal;
	churn();
	exit(9);
}

static void say(int signal)
{
	(void)signal;
	if (write(STDOUT_FILENO, "overflow\n", 9) != 9)
		_exit(1);
	_exit(8);
}

static int fall(int depth)
{
	if (depth < 0)
		return 0;
	char *volatile block = malloc(200);
	volatile char room[512];
	room[depth % 512] = 1;
	int below = fall(depth + 1) + room[3];
	free(block);
	return below;
}

static void catch(void)
{
	static char room[64 << 10];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
	struct sigaction action = {.sa_handler = say, .sa_flags = SA_ONSTACK};
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static void end(const char *how)
{
	static pthread_t self;
	pthread_t thread;
	if (!strcmp(how, "_exit"))
		_exit(3);
	if (!strcmp(how, "quick_exit")) {
		at_quick_exit(churn);
		quick_exit(4);
	}
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "handler"))
		signal(SIGTERM, leave);
	if (!strcmp(how, "term") || !strcmp(how, "handler"))
		raise(SIGTERM);
	if (!strcmp(how, "pthread_exit")) {
		self = pthread_self();
		pthread_create(&thread, NULL, last, &self);
		pthread_exit(NULL);
	}
	if (!strcmp(how, "caught"))
		catch();
	fall(0);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t thread;
	if (strcmp(how, "pthread_exit"))
		pthread_create(&thread, NULL, idle, NULL);
	// Time for a first dump; the last is cut off by the end, or not.
	churn();
	usleep(150000);
	churn();
	end(how);
	return 99;
}
