// Installs a filter after its start that refuses new threads and processes, then goes on allocating in
// two threads.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static pthread_barrier_t filtered;

static void *churn(void *unused)
{
	pthread_barrier_wait(&filtered);
	for (int i = 0; i < 2000; i++) {
		void *volatile block = malloc(20000);
		free(block);
	}
	return unused;
}

int main(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_clone),
		REFUSE(SYS_clone3),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof rules / sizeof *rules, rules};
	pthread_t thread;
	pthread_barrier_init(&filtered, NULL, 2);
	pthread_create(&thread, NULL, churn, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter))
		puts("WRONG: no filter");
	churn(NULL);
	pthread_join(thread, NULL);
	void *volatile kept = malloc(3000000);
	puts("end");
	return kept == NULL;
}
