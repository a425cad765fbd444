// An agent of somebody else that samples the Java heap too: says at the end how many samples it got.
#include <jvmti.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_long samples;

static void JNICALL on_sample(jvmtiEnv *jvmti, JNIEnv *jni, jthread thread, jobject object, jclass class, jlong size) {
    atomic_fetch_add(&samples, 1);
}

static void JNICALL on_death(jvmtiEnv *jvmti, JNIEnv *jni) {
    fprintf(stdout, "agent_samples=%ld\n", atomic_load(&samples));
    fflush(stdout);
}

JNIEXPORT jint JNICALL Agent_OnLoad(JavaVM *vm, char *options, void *reserved) {
    jvmtiEnv *jvmti;
    if ((*vm)->GetEnv(vm, (void **)&jvmti, JVMTI_VERSION_11) != JNI_OK)
        return JNI_ERR;
    jvmtiCapabilities wanted = {.can_generate_sampled_object_alloc_events = 1};
    jvmtiEventCallbacks callbacks = {.SampledObjectAlloc = on_sample, .VMDeath = on_death};
    if ((*jvmti)->AddCapabilities(jvmti, &wanted) || (*jvmti)->SetEventCallbacks(jvmti, &callbacks, sizeof callbacks)
        || (*jvmti)->SetHeapSamplingInterval(jvmti, 65536)
        || (*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_SAMPLED_OBJECT_ALLOC, NULL)
        || (*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_VM_DEATH, NULL))
        return JNI_ERR;
    return JNI_OK;
}

// Loaded at run time: takes the samples if they are to be had, and says whether. What it wants beside them nobody
// owns alone.
JNIEXPORT jint JNICALL Agent_OnAttach(JavaVM *vm, char *options, void *reserved) {
    jvmtiEnv *jvmti;
    if ((*vm)->GetEnv(vm, (void **)&jvmti, JVMTI_VERSION_11) != JNI_OK)
        return JNI_ERR;
    jvmtiCapabilities wanted = {.can_generate_sampled_object_alloc_events = 1};
    printf("agent_refused=%d\n", (*jvmti)->AddCapabilities(jvmti, &wanted));
    jvmtiCapabilities others = {.can_tag_objects = 1, .can_generate_garbage_collection_events = 1};
    jvmtiEventCallbacks callbacks = {.VMDeath = on_death};
    if ((*jvmti)->AddCapabilities(jvmti, &others) || (*jvmti)->SetEventCallbacks(jvmti, &callbacks, sizeof callbacks)
        || (*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_VM_DEATH, NULL)
        || (*jvmti)->ForceGarbageCollection(jvmti))
        return JNI_ERR;
    printf("agent_loaded=1\n");
    fflush(stdout);
    return JNI_OK;
}
