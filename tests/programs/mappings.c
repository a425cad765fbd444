/* Maps, cuts, moves and unmaps; says what is mapped in the end, by the function that asked.
 *
 * kept:   64 anonymous MiB, of which 16 in the middle are unmapped
 * moved:  32 MiB that mremap made of 8
 * grown:  1 MiB by sbrk, after 1 was taken back
 * Everything else is gone, was never accessible, or failed, with errno as the kernel sets it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define CHECK(truth) do { if (!(truth)) { printf("FAILED: line %d: %s\n", __LINE__, #truth); return 1; } } while (0)

static char *fresh(size_t size, int access)
{
    return mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

__attribute__((noinline)) static char *kept(void) { char *at = fresh(64 * MIB, PROT_READ | PROT_WRITE); at[1] = 1; return at; }
__attribute__((noinline)) static char *passing(void) { char *at = fresh(48 * MIB, PROT_READ); return at; }
__attribute__((noinline)) static char *reserved(void) { char *at = fresh(512 * MIB, PROT_NONE); return at; }
__attribute__((noinline)) static char *moved(char *from) { char *at = mremap(from, 8 * MIB, 32 * MIB, MREMAP_MAYMOVE); return at; }
__attribute__((noinline)) static char *grown(void) { char *at = sbrk(2 * MIB); return at; }

int main(void)
{
    errno = 4711;
    char *hole = kept();
    CHECK(munmap(hole + 24 * MIB, 16 * MIB) == 0);
    char *gone = passing();
    /* What is laid over a mapping ends it. */
    CHECK(mmap(gone, 8 * MIB, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == gone);
    CHECK(munmap(gone, 48 * MIB) == 0);
    CHECK(reserved() != MAP_FAILED);
    char *small = fresh(8 * MIB, PROT_READ | PROT_WRITE);
    strcpy(small, "comes along");
    char *large = moved(small);
    CHECK(large != MAP_FAILED && strcmp(large, "comes along") == 0);
    char *before = grown();
    CHECK(before != (void *)-1);
    CHECK(sbrk(-(long)MIB) == before + 2 * MIB);
    CHECK(sbrk(0) == before + MIB && brk(before + MIB) == 0);
    CHECK(errno == 4711);

    CHECK(munmap(hole + 1, 4096) == -1 && errno == EINVAL);
    CHECK(mremap(large, 32 * MIB, (size_t)1 << 46, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(fresh(0, PROT_READ) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 4711, 0) == MAP_FAILED && errno == EBADF);
    CHECK(sbrk((long)1 << 60) == (void *)-1 && errno == ENOMEM);
    /* So that the process has a sample of malloc's kind too. */
    CHECK(malloc(4 * MIB) != NULL);
    printf("kept=%zu\nmoved=%zu\ngrown=%zu\n", 48 * MIB, 32 * MIB, MIB);
    return 0;
}
