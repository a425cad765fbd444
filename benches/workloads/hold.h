// benches/ratio.sh memory: says how much the program holds, and waits until it was looked at.
#pragma once
#include <stdio.h>
#include <stdlib.h>

static inline void hold(size_t live)
{
	if (!getenv("RATIO_HOLD"))
		return;
	printf("live %zu\n", live);
	fflush(stdout);
	getchar();
}
