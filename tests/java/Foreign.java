import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** malloc found by the default lookup and called from Java, with and without a transition. JDK 22. */
public final class Foreign {
    private static final long SIZE = 100_000;

    private Foreign() {}

    private static MethodHandle malloc(Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        MemorySegment function = linker.defaultLookup().find("malloc").orElseThrow();
        return linker.downcallHandle(
                function,
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG),
                options);
    }

    private static long leakNormal(MethodHandle malloc) throws Throwable {
        return ((MemorySegment) malloc.invokeExact(SIZE)).address();
    }

    private static long leakCritical(MethodHandle malloc) throws Throwable {
        return ((MemorySegment) malloc.invokeExact(SIZE)).address();
    }

    /** See above. */
    public static void main(String[] arguments) throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle free =
                linker.downcallHandle(
                        linker.defaultLookup().find("free").orElseThrow(),
                        FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
        MethodHandle normal = malloc();
        MethodHandle critical = malloc(Linker.Option.critical(false));
        int rounds = Integer.parseInt(arguments[0]);
        long sum = 0;
        for (int i = 0; i < rounds; i++) {
            sum += leakNormal(normal) + leakCritical(critical);
            free.invokeExact(MemorySegment.ofAddress(leakFreed(normal)));
        }
        try (Arena arena = Arena.ofConfined()) {
            sum += arena.allocate(8).address();
        }
        System.out.println("leaked_bytes=" + 2 * rounds * SIZE + (sum == 0 ? " WRONG" : ""));
    }

    private static long leakFreed(MethodHandle malloc) throws Throwable {
        return ((MemorySegment) malloc.invokeExact(SIZE)).address();
    }
}
