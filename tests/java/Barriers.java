import java.util.concurrent.CountDownLatch;

/**
 * Threads that store young objects into an old array: the collector's barrier, which compiled code calls past every
 * bytecode, gets each thread a buffer of its own from malloc.
 *
 * <p>{@code java -XX:+UseG1GC Barriers THREADS}
 */
public final class Barriers {
    /** Large enough for regions of its own, which are old from the start. */
    private static final Object[] OLD = new Object[1 << 22];

    private Barriers() {}

    static void store(int first, int step) {
        for (int at = first; at < OLD.length; at += step) {
            OLD[at] = new Object[4];
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        int threads = Integer.parseInt(arguments[0]);
        CountDownLatch stored = new CountDownLatch(threads);
        Thread[] all = new Thread[threads];
        for (int index = 0; index < threads; index++) {
            int first = index;
            all[index] = new Thread(() -> {
                for (int round = 0; round < 8; round++) {
                    store(first * 8 + round, threads * 8);
                }
                stored.countDown();
                // A thread that ends leaves its buffer to the next one.
                try {
                    stored.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            all[index].start();
        }
        for (Thread thread : all) {
            thread.join();
        }
        System.out.println("stored=" + threads);
    }
}
