/* A cache client as a C extension for Ruby 3, in small: it asks a server on this machine to keep a value. Where the
 * server is down it must free the request; `leaky = true` forgets to. It declares what it uses of Ruby itself, so that
 * it needs no headers:
 *
 *     cc -O2 -g -shared -fPIC -o mcache.so mcache.c
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef unsigned long VALUE;
extern VALUE rb_cObject;
VALUE rb_define_class(const char *, VALUE);
void rb_define_method(VALUE, const char *, VALUE (*)(VALUE, VALUE, VALUE, VALUE), int);
char *rb_string_value_cstr(VALUE *);

enum { Qfalse = 0, Qtrue = 0x14, ROOM = 4096 };

struct request {
    char key[64];
    char value[ROOM];
};

static int server_is_up(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(11211)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    int up = connect(connection, (struct sockaddr *)&address, sizeof address) == 0;
    close(connection);
    return up;
}

__attribute__((noinline)) static struct request *request_new(const char *key, const char *value) {
    struct request *request = calloc(1, sizeof *request);
    strncpy(request->key, key, sizeof request->key - 1);
    strncpy(request->value, value, ROOM - 1);
    return request;
}

/* The compiler may not know that a request is lost. */
struct request *volatile last_request;

static VALUE set(VALUE self, VALUE key, VALUE value, VALUE leaky) {
    struct request *request = request_new(rb_string_value_cstr(&key), rb_string_value_cstr(&value));
    last_request = request;
    (void)self;
    if (!server_is_up()) {
        if (leaky != Qtrue) free(request);
        return Qfalse;
    }
    free(request);
    return Qtrue;
}

void Init_mcache(void) {
    rb_define_method(rb_define_class("MCache", rb_cObject), "set", set, 3);
}
