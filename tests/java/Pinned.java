import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.Deflater;

/**
 * Virtual threads that are parked where they cannot leave their carrier: in a monitor (before JDK 24), in an
 * initializer of a class; and those that can, as deep as their stacks go. JDK 21.
 *
 * <p>{@code Pinned MILLISECONDS}
 */
public final class Pinned {
    private static final AtomicInteger ENDED = new AtomicInteger();

    private Pinned() {}

    private static void touch() {
        new Deflater().end();
    }

    /** Its initializer parks. */
    private static final class Slow {
        static final int NUMBER;

        static {
            touch();
            LockSupport.parkNanos(20_000_000);
            touch();
            NUMBER = 1;
        }
    }

    private static int deep(int levels, Object lock) throws InterruptedException {
        if (levels == 0) {
            touch();
            Thread.sleep(1);
            touch();
            return 0;
        }
        if (levels % 10 == 0) {
            synchronized (lock) {
                lock.wait(1);
                return deep(levels - 1, lock) + 1;
            }
        }
        int depth = deep(levels - 1, lock) + 1;
        if (levels % 7 == 0) {
            Thread.yield();
            touch();
        }
        return depth;
    }

    private static void one(int number) {
        try {
            int levels = number % 3 == 0 ? 400 : 25;
            if (deep(levels, new Object()) != levels || Slow.NUMBER != 1) {
                throw new IllegalStateException("WRONG: depth");
            }
            ENDED.incrementAndGet();
        } catch (InterruptedException e) {
            throw new IllegalStateException("WRONG: " + e);
        }
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        long end = System.nanoTime() + Long.parseLong(arguments[0]) * 1_000_000L;
        int started = 0;
        while (System.nanoTime() < end) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                int number = started++;
                threads.add(Thread.startVirtualThread(() -> one(number)));
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        System.out.println(ENDED.get() == started ? "all ended" : "WRONG: " + ENDED + " of " + started);
    }
}
