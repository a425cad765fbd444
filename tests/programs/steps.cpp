// Goes through calls of the allocator one instruction at a time. At each instruction of the
// profiler it unwinds from a signal handler, as a debugger or a profiler of processor time does: the
// frame of main must be found. Says at how many it was looked for, and where it was not found.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <csignal>
#include <cstring>
#include <link.h>
#include <new>
#include <ucontext.h>
#include <unwind.h>

static uintptr_t base, text, text_end;
static unsigned long looked, lost;
static uintptr_t lost_at[8];

int main(void);

static int find_text(struct dl_phdr_info *object, size_t, void *)
{
	if (!strstr(object->dlpi_name, "libmalloscope"))
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		base = object->dlpi_addr;
		text = base + part->p_vaddr;
		text_end = text + part->p_memsz;
	}
	return 1;
}

static _Unwind_Reason_Code visit(struct _Unwind_Context *frame, void *found)
{
	void *function = _Unwind_FindEnclosingFunction(reinterpret_cast<void *>(_Unwind_GetIP(frame)));
	if (function != reinterpret_cast<void *>(main))
		return _URC_NO_REASON;
	*static_cast<bool *>(found) = true;
	return _URC_END_OF_STACK;
}

static void step(int, siginfo_t *, void *context)
{
	uintptr_t at = static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP];
	bool found = false;
	if (at < text || at >= text_end)
		return;
	_Unwind_Backtrace(visit, &found);
	looked++;
	if (!found && lost++ < sizeof lost_at / sizeof *lost_at)
		lost_at[lost - 1] = at - base;
}

// Sets the processor's trap flag, or clears it.
static inline __attribute__((always_inline)) void single_step(bool on)
{
	asm volatile("lea -128(%%rsp), %%rsp\n"
		     "pushfq\n"
		     "andq $~0x100, (%%rsp)\n"
		     "orq %0, (%%rsp)\n"
		     "popfq\n"
		     "lea 128(%%rsp), %%rsp"
		     :
		     : "r"(on ? 0x100UL : 0UL)
		     : "memory", "cc");
}

int main()
{
	struct sigaction action = {};
	action.sa_sigaction = step;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGTRAP, &action, nullptr);
	bool ready = false;
	_Unwind_Backtrace(visit, &ready);
	dl_iterate_phdr(find_text, nullptr);
	constexpr auto wide = std::align_val_t(64);
	// The second time everything has been looked up and made.
	for (int round = 0; round < 2; round++) {
		free(malloc(100));
		single_step(true);
		void *block = malloc(100);
		block = realloc(block, 200);
		free(block);
		free(calloc(3, 100));
		operator delete(operator new(100));
		operator delete(operator new(100), size_t(100));
		operator delete[](operator new[](100, std::nothrow), std::nothrow);
		operator delete(operator new(100, wide), size_t(100), wide);
		if (!posix_memalign(&block, 64, 100))
			free(block);
		single_step(false);
	}
	printf("looked=%lu\nlost=%lu\n", looked, lost);
	for (unsigned long i = 0; i < lost && i < sizeof lost_at / sizeof *lost_at; i++)
		printf("at %lx\n", lost_at[i]);
	return 0;
}
