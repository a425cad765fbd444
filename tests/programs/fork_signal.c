// Forks from a signal handler that interrupts malloc and our own code; the child allocates nothing.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS 400

static volatile sig_atomic_t forks;

static void handle(int signal)
{
	int status = -1;
	(void)signal;
	if (forks >= FORKS)
		return;
	pid_t child = fork();
	if (child == 0)
		_exit(4);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 4)
		abort();
	forks++;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 700}, {0, 700}}, never = {{0}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; forks < FORKS; i++) {
		void *volatile block = malloc(3000 + i % 100);
		free(block);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	void *volatile kept = malloc(3000000);
	printf("forks=%d\n", (int)forks);
	return kept == NULL;
}
