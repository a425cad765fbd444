/* A program with a JVM in it. Linked to libjvm (-DLINKED), or it opens the one at LIBJVM, and before
 * it creates the JVM hides one field from the tables in which HotSpot describes itself.
 *
 * embedder LIBJVM CLASSPATH CLASS [HIDDEN_CLASS HIDDEN_FIELD] */
#include <dlfcn.h>
#include <jni.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef jint (*create_function)(JavaVM **, void **, void *);

static uint64_t number(void *library, const char *name)
{
    uint64_t *at = dlsym(library, name);
    if (at == NULL)
        exit(3);
    return *at;
}

static void hide(void *library, const char *class, const char *field)
{
    char *row = (char *)number(library, "gHotSpotVMStructs");
    uint64_t stride = number(library, "gHotSpotVMStructEntryArrayStride");
    uint64_t class_at = number(library, "gHotSpotVMStructEntryTypeNameOffset");
    uint64_t field_at = number(library, "gHotSpotVMStructEntryFieldNameOffset");
    for (; *(char **)(row + class_at) != NULL; row += stride) {
        char **name = (char **)(row + field_at);
        if (strcmp(*(char **)(row + class_at), class) != 0 || strcmp(*name, field) != 0)
            continue;
        void *page = (void *)((uintptr_t)name & ~4095UL);
        if (mprotect(page, 8192, PROT_READ | PROT_WRITE) != 0)
            exit(4);
        *name = "hidden";
        puts("hidden=1");
        return;
    }
    exit(5);
}

static create_function find_create(int count, char **arguments)
{
#ifdef LINKED
    (void)count, (void)arguments, (void)hide;
    return JNI_CreateJavaVM;
#else
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL)
        exit(2);
    if (count > 5)
        hide(library, arguments[4], arguments[5]);
    return (create_function)(uintptr_t)dlsym(library, "JNI_CreateJavaVM");
#endif
}

int main(int count, char **arguments)
{
    char path[4096];
    snprintf(path, sizeof path, "-Djava.class.path=%s", arguments[2]);
    JavaVMOption options[] = {{.optionString = path}};
    JavaVMInitArgs init = {.version = JNI_VERSION_1_6, .nOptions = 1, .options = options};
    JavaVM *vm = NULL;
    JNIEnv *env = NULL;
    create_function create = find_create(count, arguments);
    if (create == NULL || create(&vm, (void **)&env, &init) != JNI_OK)
        return 6;
    jclass class = (*env)->FindClass(env, arguments[3]);
    jmethodID run = class ? (*env)->GetStaticMethodID(env, class, "main", "([Ljava/lang/String;)V") : NULL;
    if (run == NULL)
        return 7;
    jobjectArray none = (*env)->NewObjectArray(env, 0, (*env)->FindClass(env, "java/lang/String"), NULL);
    (*env)->CallStaticVoidMethod(env, class, run, none);
    printf("destroyed=%d\n", (*vm)->DestroyJavaVM(vm));
    /* HotSpot says no to this, and shall go on doing so. */
    printf("again=%d\n", create(&vm, (void **)&env, &init) == JNI_OK);
    return 0;
}
