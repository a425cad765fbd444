// A C extension for Ruby 3: a client that never frees its requests. It declares what it uses of Ruby
// itself, so that it needs no headers and is good for every version.
#include <stdlib.h>
#include <string.h>

typedef unsigned long VALUE;
extern VALUE rb_cObject;
VALUE rb_define_class(const char *, VALUE);
void rb_define_method(VALUE, const char *, VALUE (*)(VALUE, VALUE), int);
void *rb_thread_call_without_gvl(void *(*)(void *), void *, void *, void *);

struct request {
    struct request *next;
};
static struct request *requests;

static void *keep(void *size) {
    struct request *request = malloc((size_t)size);
    memset(request, 1, (size_t)size);
    request->next = requests;
    requests = request;
    return 0;
}

// Fixnums carry their number above the lowest bit.
static VALUE set(VALUE self, VALUE size) {
    keep((void *)(size >> 1));
    return self;
}

static VALUE set_unlocked(VALUE self, VALUE size) {
    rb_thread_call_without_gvl(keep, (void *)(size >> 1), 0, 0);
    return self;
}

void Init_ruby_leaky(void) {
    VALUE client = rb_define_class("LeakyClient", rb_cObject);
    rb_define_method(client, "set", set, 1);
    rb_define_method(client, "set_unlocked", set_unlocked, 1);
}
