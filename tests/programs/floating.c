// Floating-point exceptions unmasked: arithmetic of a profiler would raise them. Its flags are looked at
// too.
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *churn(void *unused)
{
	for (int i = 0; i < 3000; i++) {
		void *volatile block = malloc(50000 + i);
		if (i % 8)
			free(block);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	feclearexcept(FE_ALL_EXCEPT);
	churn(NULL);
	printf("flags=%d\n", fetestexcept(FE_ALL_EXCEPT));
	fflush(stdout);
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_ALL_EXCEPT);
	churn(NULL);
	pthread_create(&thread, NULL, churn, NULL);
	churn(NULL);
	pthread_join(thread, NULL);
	puts("end");
	return 0;
}
