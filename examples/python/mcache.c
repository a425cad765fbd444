/* The client of a cache whose server is down. */
#include <stdlib.h>
#include <string.h>

struct request {
    char *key, *value;
    char buffer[4096];
};

/* What a signal handler would give up. */
static struct request *volatile in_flight;

static int send_to_server(struct request *request)
{
    in_flight = request;
    memset(request->buffer, 0, sizeof request->buffer);
    return -1;
}

int mcache_set(const char *key, const char *value)
{
    struct request *request = malloc(sizeof *request);
    request->key = strdup(key);
    request->value = strdup(value);
    int sent = send_to_server(request);
#ifndef REPAIRED
    if (sent < 0)
        return sent;
#endif
    free(request->key);
    free(request->value);
    free(request);
    return sent;
}
