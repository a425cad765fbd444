// Claims to be a Ruby interpreter, by its symbols alone, of the version in argv[1]; its frames are
// those of argv[2].
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ruby_api_version[3] = {3, 3, 0};
uintptr_t rb_cObject = 8;
uintptr_t rb_cRactor = 8;
static int kind;
static uintptr_t objects[16];

int rb_profile_frames(int start, int limit, uintptr_t *frames, int *lines) {
    static const uintptr_t wild[] = {0x10, 0x7fffffffff000, 1, 0xdeadbeef00000000};
    (void)start;
    for (int i = 0; i < limit; i++) {
        frames[i] = kind < 4 ? wild[kind] : (uintptr_t)objects;
        lines[i] = -1;
    }
    return kind == 5 ? 1 << 20 : limit;
}
uintptr_t rb_profile_frame_path(uintptr_t frame) { return frame; }
uintptr_t rb_profile_frame_label(uintptr_t frame) { return frame + 1; }
uintptr_t rb_class_path_cached(uintptr_t class) { return class; }
int ruby_native_thread_p(void) { return 1; }
int ruby_thread_has_gvl_p(void) { return 1; }
int rb_during_gc(void) { return 0; }
int rb_postponed_job_register_one(unsigned flags, void (*job)(void *), void *data) {
    (void)flags, (void)job, (void)data;
    return 0;
}
const char *rb_id2name(uintptr_t id) { return id ? 0 : ""; }
uintptr_t rb_intern2(const char *name, long length) { return name[0] + (uintptr_t)length; }
uintptr_t rb_id2sym(uintptr_t id) { return id; }
size_t rb_gc_stat(uintptr_t name) { return name; }
void rb_set_end_proc(void (*end)(uintptr_t), uintptr_t data) { (void)end, (void)data; }

__attribute__((noinline)) void *rb_yield(size_t size) { return malloc(size); }

int main(int count, char **words) {
    if (count != 3) return 2;
    ruby_api_version[1] = atoi(words[1]);
    kind = atoi(words[2]);
    objects[0] = kind == 4 ? 0x1a | 6 << 12 : 0x05;
    memset(objects + 1, 0x41, sizeof objects - sizeof *objects);
    for (int i = 0; i < 1000; i++) {
        char *block = rb_yield(5000);
        block[0] = 1;
        if (i % 2) free(block);
    }
    puts("done");
    return 0;
}
