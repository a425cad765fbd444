import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;

/** What the tests of the Java heap need beside the examples; the first argument says which. */
public class HeapWork {
    static final List<Object> kept = new ArrayList<>();
    static volatile Object last;

    /** Garbage alone, for so many milliseconds. */
    static void garbage(long milliseconds) {
        long end = System.currentTimeMillis() + milliseconds;
        while (System.currentTimeMillis() < end) {
            for (int i = 0; i < 2000; i++) {
                last = new long[100];
            }
        }
        last = null;
    }

    /** The threads that Java sees. */
    static void threads() throws Exception {
        garbage(300);
        Thread.sleep(300);
        Set<String> names = new TreeSet<>();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            names.add(thread.getName());
        }
        System.out.println(names);
        System.out.println(ManagementFactory.getThreadMXBean().getThreadCount());
    }

    /** Some threads that allocate, load classes and go. */
    static void storm(long milliseconds) throws Exception {
        byte[] code;
        try (java.io.InputStream in = HeapWork.class.getResourceAsStream("HeapWork$Guest.class")) {
            code = in.readAllBytes();
        }
        long end = System.currentTimeMillis() + milliseconds;
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Thread thread = new Thread(() -> storm(code, end));
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    static void storm(byte[] code, long end) {
        try {
            while (System.currentTimeMillis() < end) {
                garbage(5);
                Callable<?> guest = (Callable<?>) new Loader().define(code).getDeclaredConstructor().newInstance();
                last = guest.call();
                Thread child = new Thread(() -> last = new String[200]);
                child.start();
                child.join();
            }
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static final class Loader extends ClassLoader {
        Class<?> define(byte[] code) {
            return defineClass("HeapWork$Guest", code, 0, code.length);
        }
    }

    public static final class Guest implements Callable<Object> {
        public Object call() {
            Object[] list = new Object[64];
            for (int i = 0; i < list.length; i++) {
                list[i] = new long[i];
            }
            return list;
        }
    }

    /** Allocates in a virtual thread that was parked before; JDK 21. */
    static void virtual() throws Exception {
        Runnable work = () -> {
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                throw new RuntimeException(e);
            }
            deep(5);
        };
        Thread thread = (Thread) Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, work);
        thread.join();
        System.gc();
    }

    static void deep(int level) {
        if (level > 0) {
            deep(level - 1);
            return;
        }
        for (int i = 0; i < 20_000; i++) {
            kept.add(new short[500]);
        }
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "garbage":
                garbage(Long.parseLong(arguments[1]));
                Thread.sleep(Long.parseLong(arguments[2]));
                break;
            case "threads": threads(); break;
            case "storm": storm(Long.parseLong(arguments[1])); break;
            case "virtual": virtual(); break;
            default: throw new IllegalArgumentException(arguments[0]);
        }
        System.out.println("done");
    }
}
