// Children that share the parent's memory: vfork and exec, posix_spawn, and clone(CLONE_VM) whose child
// allocates before it goes, as the JVM's does. Beside them a child of _Fork, which runs no handlers.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (256 << 10)

extern char **environ;
static void *volatile kept;

static void churn(void)
{
	for (int i = 0; i < 400; i++) {
		void *volatile block = malloc(20000);
		free(block);
	}
}

static int share(void *unused)
{
	(void)unused;
	churn();
	kept = malloc(3000000);
	_exit(4);
}

static void check_end(pid_t child, int expected)
{
	int status = -1;
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != expected)
		printf("WRONG: child %d, status %x\n", child, status);
}

int main(void)
{
	char *command[] = {"/bin/true", NULL};
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	for (int i = 0; i < 20; i++) {
		churn();
		child = vfork();
		if (child == 0) {
			execv(command[0], command);
			_exit(127);
		}
		check_end(child, 0);
		if (posix_spawn(&child, command[0], NULL, NULL, command, environ) == 0)
			check_end(child, 0);
		check_end(clone(share, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL), 4);
		check_end(clone(share, stack + STACK, CLONE_VM | SIGCHLD, NULL), 4);
	}
	child = _Fork();
	if (child == 0) {
		kept = malloc(5000000);
		exit(6);
	}
	check_end(child, 6);
	printf("pid=%d\nchild=%d\n", getpid(), child);
	return 0;
}
