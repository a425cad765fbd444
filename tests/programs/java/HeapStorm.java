import java.io.*;
import java.util.*;
import java.util.concurrent.*;

/**
 * Threads that come, allocate and go, some objects kept for a while, classes loaded and unloaded.
 *
 *   java HeapStorm SECONDS THREADS
 *
 * Ends with status 3.
 */
public class HeapStorm {
    static final Map<Integer, Object> kept = new ConcurrentHashMap<>();

    static final class Loader extends ClassLoader {
        Class<?> define(byte[] code) { return defineClass("HeapStorm$Guest", code, 0, code.length); }
    }
    public static final class Guest implements Callable<Object> {
        public Object call() { Object[] list = new Object[64]; for (int i = 0; i < 64; i++) list[i] = new long[i]; return list; }
    }

    static byte[] code() throws IOException {
        try (InputStream in = HeapStorm.class.getResourceAsStream("HeapStorm$Guest.class")) { return in.readAllBytes(); }
    }

    static void work(int id, byte[] code, long end) {
        Random random = new Random(id);
        try {
            while (System.currentTimeMillis() < end) {
                for (int i = 0; i < 2000; i++) {
                    Object object = random.nextInt(100) == 0 ? new byte[random.nextInt(1 << 16)] : new int[random.nextInt(50)];
                    if (i % 10 == 0) kept.put(random.nextInt(20000), object);
                }
                for (int i = 0; i < 5; i++) {
                    Callable<?> guest = (Callable<?>) new Loader().define(code).getDeclaredConstructor().newInstance();
                    kept.put(20000 + random.nextInt(50), guest.call());
                }
                if (random.nextInt(200) == 0) System.gc();
                Thread child = new Thread(() -> kept.put(30000 + random.nextInt(50), new String[200]));
                child.start();
                child.join();
            }
        } catch (Exception e) { throw new RuntimeException(e); }
    }

    public static void main(String[] arguments) throws Exception {
        long end = System.currentTimeMillis() + Long.parseLong(arguments[0]) * 1000;
        int threads = Integer.parseInt(arguments[1]);
        byte[] code = code();
        List<Thread> all = new ArrayList<>();
        for (int i = 0; i < threads; i++) { int id = i; Thread t = new Thread(() -> work(id, code, end)); t.start(); all.add(t); }
        for (Thread t : all) t.join();
        System.out.println("kept=" + kept.size());
        System.exit(3);
    }
}
