/* Look-ups of every kind, whose answers a hook of dlsym must not change. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int line(const char *what, int fine)
{
    printf("%s=%d\n", what, fine);
    return !fine;
}

int main(void)
{
    int wrong = 0;
    void *libc = dlopen("libc.so.6", RTLD_NOW), *math = dlopen("libm.so.6", RTLD_NOW);
    void *program = dlopen(NULL, RTLD_NOW);
    wrong += line("default_is_what_we_call", dlsym(RTLD_DEFAULT, "malloc") == (void *)malloc);
    wrong += line("program_is_what_we_call", dlsym(program, "malloc") == (void *)malloc);
    /* The next after the program is the first library: the one that was preloaded, if any. */
    wrong += line("next_after_us", dlsym(RTLD_NEXT, "malloc") != NULL);
    wrong += line("next_main_is_none", dlsym(RTLD_NEXT, "main") == NULL);
    dlerror();
    /* A handle names its library, whoever is preloaded. */
    void *own = dlsym(libc, "malloc");
    Dl_info info;
    wrong += line("libc_is_libc", own != NULL && dladdr(own, &info) != 0 && strstr(info.dli_fname, "libc.so.6") != NULL);
    void *versioned = dlvsym(libc, "malloc", "GLIBC_2.2.5");
    wrong += line("by_version", versioned == own);
    double (*cosine)(double) = (double (*)(double))dlsym(math, "cos");
    wrong += line("math", cosine != NULL && cosine(0) == 1);
    dlerror();
    errno = 77;
    void *none = dlsym(math, "JNI_CreateJavaVM");
    const char *said = dlerror();
    wrong += line("no_jvm", none == NULL && said != NULL && strstr(said, "undefined symbol: JNI_CreateJavaVM") != NULL);
    wrong += line("said_once", dlerror() == NULL);
    wrong += line("nothing_named", dlsym(math, "no_such_thing") == NULL && strstr(dlerror(), "no_such_thing") != NULL);
    wrong += line("a_name_of_one_letter", dlsym(math, "J") == NULL && dlerror() != NULL);
    wrong += line("no_such_handle_of_ours", dlsym(RTLD_DEFAULT, "JNI_CreateJavaVM") == NULL);
    dlerror();
    for (int i = 0; i < 100000; i++)
        if (dlsym(libc, "free") == NULL)
            return 9;
    dlclose(math);
    return wrong;
}
