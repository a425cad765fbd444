// Uses, resizes and frees what a library's IFUNC resolver allocated before anybody was ready for it.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int chosen(void);
char *early_block(int);
void _ZdlPv(void *), _ZdaPv(void *), _ZdlPvm(void *, size_t);
void _ZdlPvSt11align_val_t(void *, size_t), _ZdaPvSt11align_val_t(void *, size_t);

int main(void)
{
	char *grown = realloc(early_block(0), 100000);
	printf("chosen=%d\nkept=%d\n", chosen(), strcmp(grown, "grown") == 0);
	printf("usable=%d\n", malloc_usable_size(early_block(1)) >= 150);
	free(grown);
	free(early_block(1));
	free(realloc(early_block(2), 10));
	printf("emptied=%d\n", realloc(early_block(3), 0) == NULL);
	free(reallocarray(early_block(4), 1000, 10));
	for (int i = 5; i < 12; i++)
		free(early_block(i));
	_ZdlPvm(early_block(12), 100);
	_ZdaPv(early_block(13));
	_ZdlPv(early_block(14));
	_ZdaPv(early_block(15));
	_ZdlPvSt11align_val_t(early_block(16), 128);
	_ZdaPvSt11align_val_t(early_block(17), 128);
	for (int i = 0; i < 100000; i++)
		free(malloc(i % 5000));
	puts("end");
	return 0;
}
