import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Deflater;
import sun.misc.Unsafe;

/**
 * Ends in the way that is asked for, while other threads allocate and collect.
 *
 * <p>{@code Ending HOW}, with -Dnative=LIBRARY (tests/programs/java_native.c) for the ends in native code. A shutdown
 * hook says when it runs; {@code wait} says when a signal may come.
 */
@SuppressWarnings({"deprecation", "removal"})
public final class Ending {
    private static volatile Object sink;

    private Ending() {}

    static native void crash();

    static native void abort();

    static native void exit(int status);

    static native int overflow();

    static native void wildFree(long address);

    static native void fatal();

    private static Unsafe unsafe() throws ReflectiveOperationException {
        Field field = Unsafe.class.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        return (Unsafe) field.get(null);
    }

    private static void work(boolean isCollector) {
        while (true) {
            try {
                for (int i = 0; i < 20; i++) {
                    Deflater deflater = new Deflater();
                    sink = new byte[10_000];
                    deflater.end();
                }
                if (isCollector) {
                    System.gc();
                }
            } catch (OutOfMemoryError e) {
                sink = e;
            }
        }
    }

    private static void fill() {
        List<Object> kept = new ArrayList<>();
        while (true) {
            kept.add(new byte[1_000_000]);
            new Deflater().end();
        }
    }

    private static int dive(int level) {
        return dive(level + 1) + 1;
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        if (System.getProperty("native") != null) {
            System.load(System.getProperty("native"));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            new Deflater().end();
            System.out.println("hook");
        }));
        for (int i = 0; i < 4; i++) {
            boolean isCollector = i == 0;
            Thread thread = new Thread(() -> work(isCollector), "worker");
            thread.setDaemon(true);
            thread.start();
        }
        Thread.sleep(150);
        System.out.println("ready");
        switch (arguments[0]) {
            case "wait": Thread.sleep(100_000); break;
            case "return": break;
            case "exit": System.exit(7); break;
            case "exit-in-thread":
                new Thread(() -> System.exit(8)).start();
                Thread.sleep(100_000);
                break;
            case "halt": Runtime.getRuntime().halt(9); break;
            case "exception": throw new IllegalStateException("nobody catches it");
            case "out-of-memory": fill(); break;
            case "out-of-stack": sink = dive(0); break;
            case "out-of-native-memory": sink = unsafe().allocateMemory(1L << 60); break;
            case "bad-address": unsafe().putLong(8, 1); break;
            case "native-crash": crash(); break;
            case "native-abort": abort(); break;
            case "native-exit": exit(10); break;
            case "native-overflow": sink = overflow(); break;
            case "native-free": wildFree(0x123450000L); break;
            case "native-fatal": fatal(); break;
            default: throw new IllegalArgumentException(arguments[0]);
        }
    }
}
