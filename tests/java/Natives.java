import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Native methods that allocate where it hurts (tests/programs/java_native.c), each for so many milliseconds.
 *
 * <p>{@code Natives NAME MILLISECONDS}, with -Dnative=LIBRARY. What is printed does not depend on time or chance.
 */
public final class Natives {
    private static volatile Object sink;

    private Natives() {}

    static native int recurse(int levels);

    static native void up(Runnable runnable);

    static native long visit(int threads, Runnable runnable);

    static native int references(int count);

    static native long critical(byte[] array, int rounds);

    static native int redefine(Class<?> type, byte[] code);

    private static boolean goesOn(long end) {
        return System.nanoTime() < end;
    }

    private static void wrong(String what) {
        throw new IllegalStateException("WRONG: " + what);
    }

    /** What recurse calls; at the bottom of some, an exception that goes through all of them. */
    static int next(int levels) {
        if (levels == 0 && sink != null) {
            throw new IllegalStateException("through native frames");
        }
        return recurse(levels);
    }

    private static void recursion(long end) {
        while (goesOn(end)) {
            sink = null;
            if (recurse(150) != 150) {
                wrong("depth");
            }
            sink = "throw";
            try {
                recurse(150);
                wrong("no exception");
            } catch (IllegalStateException e) {
                if (e.getStackTrace().length < 300) {
                    wrong("a trace of " + e.getStackTrace().length);
                }
            }
        }
    }

    private static int down(int level) {
        int[] depth = {level};
        up(() -> depth[0] = down(level + 1));
        return depth[0];
    }

    /** The stack ends in Java as often as in a native method. */
    private static void overflow(long end) throws InterruptedException {
        while (goesOn(end)) {
            for (int size : new int[] {250_000, 500_000, 1_000_000}) {
                boolean[] caught = {false};
                Thread thread = new Thread(null, () -> {
                    try {
                        down(0);
                    } catch (StackOverflowError e) {
                        caught[0] = true;
                    }
                }, "diver", size);
                thread.start();
                thread.join();
                if (!caught[0]) {
                    wrong("no overflow");
                }
            }
        }
    }

    /** Native threads that come, call and go. */
    private static void visits(long end) {
        while (goesOn(end)) {
            long failures = visit(20, () -> {
                sink = new java.util.zip.Deflater();
                ((java.util.zip.Deflater) sink).end();
                throw new IllegalStateException("for the visitor");
            });
            if (failures != 0) {
                wrong("not attached: " + failures);
            }
        }
    }

    private static void manyReferences(long end) {
        while (goesOn(end)) {
            if (references(5000) != 5000) {
                wrong("references");
            }
        }
    }

    /** Critical sections beside collections. */
    private static void criticals(long end) throws InterruptedException {
        Thread collector = new Thread(() -> {
            while (goesOn(end)) {
                System.gc();
            }
        });
        collector.start();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Thread thread = new Thread(() -> {
                while (goesOn(end)) {
                    sink = new byte[50_000];
                    if (critical(new byte[1000], 300) != 300) {
                        wrong("critical");
                    }
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        collector.join();
    }

    /** Is redefined while it runs; the number is another in each body. */
    static final class Changing {
        private Changing() {}

        static int number() {
            return deeper(5);
        }

        private static int deeper(int levels) {
            java.util.zip.Deflater deflater = new java.util.zip.Deflater();
            try {
                return levels == 0 ? 1000001 : deeper(levels - 1);
            } finally {
                deflater.end();
            }
        }
    }

    private static byte[] code(String name) {
        try (InputStream in = Natives.class.getResourceAsStream(name + ".class")) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Where the constant of `deeper` stands in the class file: its low byte. */
    private static int place(byte[] code) {
        for (int i = 0; i + 4 < code.length; i++) {
            // CONSTANT_Integer 1000001
            if (code[i] == 3 && code[i + 1] == 0 && code[i + 2] == 15 && code[i + 3] == 66 && code[i + 4] == 65) {
                return i + 4;
            }
        }
        throw new IllegalStateException("WRONG: no constant");
    }

    private static void redefinition(long end) throws InterruptedException {
        byte[] code = code("Natives$Changing");
        int place = place(code);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Thread thread = new Thread(() -> {
                while (goesOn(end)) {
                    int number = Changing.number();
                    if (number < 1_000_000 || number > 1_000_300) {
                        wrong("number " + number);
                    }
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (int i = 0; goesOn(end); i++) {
            code[place] = (byte) (64 + i % 50);
            int result = redefine(Changing.class, code);
            if (result != 0) {
                wrong("redefinition said " + result);
            }
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        System.load(System.getProperty("native"));
        long end = System.nanoTime() + Long.parseLong(arguments[1]) * 1_000_000L;
        switch (arguments[0]) {
            case "recursion": recursion(end); break;
            case "overflow": overflow(end); break;
            case "visits": visits(end); break;
            case "references": manyReferences(end); break;
            case "criticals": criticals(end); break;
            case "redefinition": redefinition(end); break;
            default: throw new IllegalArgumentException(arguments[0]);
        }
        System.out.println(arguments[0] + " is over");
    }
}
