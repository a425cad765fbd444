// Stands in for the library of an injector (Datadog's, OpenTelemetry's): it sets variables before main, stands in
// front of getenv, and sees to it that children get it too.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *(*real_getenv)(const char *);

__attribute__((constructor)) static void inject(void) {
    real_getenv = (char *(*)(const char *))dlsym(RTLD_NEXT, "getenv");
    char options[4096];
    const char *old = real_getenv("NODE_OPTIONS");
    snprintf(options, sizeof options, "%s --max-semi-space-size=1", old ? old : "");
    setenv("NODE_OPTIONS", options, 1);
    setenv("INJECTED", "yes", 1);
}

char *getenv(const char *name) {
    if (!real_getenv) real_getenv = (char *(*)(const char *))dlsym(RTLD_NEXT, "getenv");
    return real_getenv(name);
}
