// An auditor of the loader: it lives in a namespace with a libc of its own, and allocates there.
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned int la_version(unsigned int version)
{
	free(malloc(version * 10000));
	return LAV_CURRENT;
}

unsigned int la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie)
{
	*cookie = (uintptr_t)strdup(map->l_name);
	return namespace == LM_ID_BASE ? LA_FLG_BINDTO | LA_FLG_BINDFROM : 0;
}

void la_preinit(uintptr_t *cookie)
{
	free(calloc(*cookie != 0, 100000));
	if (write(2, "audited\n", 8) != 8)
		abort();
}

unsigned int la_objclose(uintptr_t *cookie)
{
	free((void *)*cookie);
	return 0;
}
