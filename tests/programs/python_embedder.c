/* A program that opens an interpreter of Python, runs it, ends it and closes it, three times.
 *
 * python_embedder LIBPYTHON [before|after]: its own functions are put before the interpreter's allocator before it
 * begins, or while it runs, and are taken away again. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct functions {
    void *context;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *);
};

enum { OBJECTS = 2 };

static struct functions below;

static void *own_malloc(void *context, size_t size)
{
    return below.malloc(below.context, size);
}

static void *own_calloc(void *context, size_t number, size_t size)
{
    return below.calloc(below.context, number, size);
}

static void *own_realloc(void *context, void *block, size_t size)
{
    return below.realloc(below.context, block, size);
}

static void own_free(void *context, void *block)
{
    below.free(below.context, block);
}

static const struct functions own = { NULL, own_malloc, own_calloc, own_realloc, own_free };

static void *find(void *library, const char *name)
{
    void *function = dlsym(library, name);
    if (function == NULL)
        exit(3);
    return function;
}

static void once(const char *path, const char *when)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL)
        exit(2);
    void (*initialize)(void) = find(library, "Py_Initialize");
    int (*run)(const char *) = find(library, "PyRun_SimpleString");
    int (*finalize)(void) = find(library, "Py_FinalizeEx");
    void (*get)(int, struct functions *) = find(library, "PyMem_GetAllocator");
    void (*set)(int, const struct functions *) = find(library, "PyMem_SetAllocator");
    int before = strcmp(when, "before") == 0, after = strcmp(when, "after") == 0;
    get(OBJECTS, &below);
    if (before)
        set(OBJECTS, &own);
    initialize();
    run("import threading\n"
        "a = [bytes(5000) for _ in range(100)]\n"
        "b = [str(n) for n in range(20000)]\n"
        "t = threading.Thread(target=lambda: [bytearray(9999) for _ in range(99)])\n"
        "t.start()\n"
        "t.join()\n");
    if (after) {
        get(OBJECTS, &below);
        set(OBJECTS, &own);
    }
    run("del b\n"
        "c = [str(n) * 2 for n in range(20000)]\n"
        "d = [bytes(6000) for _ in range(50)]\n");
    if (after)
        set(OBJECTS, &below);
    if (finalize() != 0)
        exit(4);
    if (before)
        set(OBJECTS, &below);
    dlclose(library);
}

int main(int argc, char **argv)
{
    for (int time = 0; time < 3; time++)
        once(argv[1], argc > 2 ? argv[2] : "");
    puts("embedded");
    return 0;
}
