/* Native methods of tests/java/Natives.java and Ending.java: they allocate where a JVM is at its most delicate. */
#include <jni.h>
#include <jvmti.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static JavaVM *vm;
static atomic_long failures;

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *created, void *reserved)
{
    (void)reserved;
    vm = created;
    return JNI_VERSION_1_8;
}

static void touch(unsigned seed)
{
    char *block = malloc(100 + seed % 5000);
    block[0] = 1;
    block = realloc(block, 6000);
    if (block[0] != 1)
        abort();
    free(block);
}

static void call(JNIEnv *jni, jobject runnable)
{
    jclass class = (*jni)->GetObjectClass(jni, runnable);
    jmethodID run = (*jni)->GetMethodID(jni, class, "run", "()V");
    (*jni)->CallVoidMethod(jni, runnable, run);
}

/* Java calls native calls Java, with blocks that live as long as their frames. */
JNIEXPORT jint JNICALL Java_Natives_recurse(JNIEnv *jni, jclass class, jint levels)
{
    touch(levels);
    if (levels == 0)
        return 0;
    void *block = malloc(1000);
    jmethodID next = (*jni)->GetStaticMethodID(jni, class, "next", "(I)I");
    jint depth = (*jni)->CallStaticIntMethod(jni, class, next, levels - 1);
    touch(depth); /* also with an exception pending */
    free(block);
    return depth + 1;
}

/* Uses the stack up in native code, between two calls of Java. */
JNIEXPORT void JNICALL Java_Natives_up(JNIEnv *jni, jclass class, jobject runnable)
{
    (void)class;
    touch(1);
    call(jni, runnable);
    touch(2);
}

struct visit {
    jobject runnable;
    int number;
};

static void *visitor(void *argument)
{
    struct visit *visit = argument;
    touch(visit->number);
    for (int i = 0; i < 3; i++) {
        JNIEnv *jni;
        jint attached = visit->number % 2 ? (*vm)->AttachCurrentThread(vm, (void **)&jni, NULL)
                                          : (*vm)->AttachCurrentThreadAsDaemon(vm, (void **)&jni, NULL);
        if (attached != JNI_OK) {
            failures++;
            break;
        }
        touch(i);
        call(jni, visit->runnable);
        if ((*jni)->ExceptionCheck(jni)) {
            touch(i);
            (*jni)->ExceptionClear(jni);
        }
        (*vm)->DetachCurrentThread(vm);
        touch(i);
    }
    return NULL;
}

JNIEXPORT jlong JNICALL Java_Natives_visit(JNIEnv *jni, jclass class, jint count, jobject runnable)
{
    (void)class;
    struct visit visits[64];
    pthread_t threads[64];
    jobject global = (*jni)->NewGlobalRef(jni, runnable);
    for (int i = 0; i < count; i++) {
        visits[i] = (struct visit){global, i};
        if (pthread_create(&threads[i], NULL, visitor, &visits[i]) != 0)
            abort();
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    (*jni)->DeleteGlobalRef(jni, global);
    return failures;
}

/* Local, global and weak references, so many that their tables grow by malloc. */
JNIEXPORT jint JNICALL Java_Natives_references(JNIEnv *jni, jclass class, jint count)
{
    jint found = 0;
    if ((*jni)->PushLocalFrame(jni, count) != 0)
        return -1;
    for (int i = 0; i < count; i++) {
        jobject local = (*jni)->NewStringUTF(jni, "a string of some length");
        jobject global = (*jni)->NewGlobalRef(jni, local);
        jobject weak = (*jni)->NewWeakGlobalRef(jni, local);
        found += (*jni)->IsSameObject(jni, weak, global);
        (*jni)->DeleteWeakGlobalRef(jni, weak);
        (*jni)->DeleteGlobalRef(jni, global);
    }
    (*jni)->PopLocalFrame(jni, class);
    return found;
}

/* Between these two a collector may wait for us; whoever waits for a collector in between, hangs. */
JNIEXPORT jlong JNICALL Java_Natives_critical(JNIEnv *jni, jclass class, jbyteArray array, jint rounds)
{
    (void)class;
    jlong sum = 0;
    jbyte *bytes = (*jni)->GetPrimitiveArrayCritical(jni, array, NULL);
    for (int i = 0; i < rounds; i++) {
        bytes[0] = 1;
        void *block = malloc(20000);
        memset(block, 1, 100);
        sum += bytes[0];
        free(block);
    }
    (*jni)->ReleasePrimitiveArrayCritical(jni, array, bytes, 0);
    return sum;
}

/* Gives a class another body; of JVMTI, so that no agent is needed. */
JNIEXPORT jint JNICALL Java_Natives_redefine(JNIEnv *jni, jclass unused, jclass class, jbyteArray code)
{
    (void)unused;
    static jvmtiEnv *jvmti;
    jvmtiCapabilities wanted = {.can_redefine_classes = 1, .can_redefine_any_class = 1};
    if (jvmti == NULL
        && ((*vm)->GetEnv(vm, (void **)&jvmti, JVMTI_VERSION_11) != JNI_OK || (*jvmti)->AddCapabilities(jvmti, &wanted) != 0))
        return -1;
    jsize length = (*jni)->GetArrayLength(jni, code);
    unsigned char *bytes = malloc(length);
    (*jni)->GetByteArrayRegion(jni, code, 0, length, (jbyte *)bytes);
    jvmtiClassDefinition definition = {class, length, bytes};
    jint result = (*jvmti)->RedefineClasses(jvmti, 1, &definition);
    free(bytes);
    return result;
}

/* Ends of a process that are not Java's. */

JNIEXPORT void JNICALL Java_Ending_crash(JNIEnv *jni, jclass class)
{
    (void)jni, (void)class;
    void *block = malloc(100000);
    *(volatile char *)8 = 1;
    free(block);
}

JNIEXPORT void JNICALL Java_Ending_abort(JNIEnv *jni, jclass class)
{
    (void)jni, (void)class;
    abort();
}

JNIEXPORT void JNICALL Java_Ending_exit(JNIEnv *jni, jclass class, jint status)
{
    (void)jni, (void)class;
    exit(status);
}

static int dive(int levels)
{
    volatile char *here = malloc(3000);
    volatile char frame[512];
    frame[0] = here[0] = 1;
    int depth = levels == 0 ? 0 : dive(levels - 1) + frame[0];
    free((void *)here);
    return depth;
}

JNIEXPORT jint JNICALL Java_Ending_overflow(JNIEnv *jni, jclass class)
{
    (void)jni, (void)class;
    return dive(INT32_MAX);
}

JNIEXPORT void JNICALL Java_Ending_wildFree(JNIEnv *jni, jclass class, jlong address)
{
    (void)jni, (void)class;
    free((void *)(intptr_t)address);
}

JNIEXPORT void JNICALL Java_Ending_fatal(JNIEnv *jni, jclass class)
{
    (void)class;
    touch(1);
    (*jni)->FatalError(jni, "asked for");
}
