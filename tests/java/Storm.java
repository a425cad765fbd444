import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Threads that allocate native memory in every way Java has, while classes come and go: each round
 * works in a class that a loader of its own has just defined and that is dropped afterwards.
 *
 * <p>Storm THREADS SECONDS
 */
public final class Storm {
    private Storm() {}

    /** What the throwaway classes do. */
    public static final class Work implements Runnable {
        @Override
        public void run() {
            deep(ThreadLocalRandom.current().nextInt(1, 40));
        }

        private void deep(int levels) {
            if (levels > 0) {
                deep(levels - 1);
                return;
            }
            Deflater deflater = new Deflater(1 + ThreadLocalRandom.current().nextInt(9), true);
            byte[] input = new byte[5000];
            deflater.setInput(input);
            deflater.finish();
            byte[] output = new byte[600];
            int length = deflater.deflate(output);
            deflater.end();
            Inflater inflater = new Inflater(true);
            inflater.setInput(output, 0, length);
            try {
                if (inflater.inflate(input) != input.length) {
                    throw new IllegalStateException("WRONG: inflated to another length");
                }
            } catch (java.util.zip.DataFormatException e) {
                throw new IllegalStateException("WRONG: " + e);
            } finally {
                inflater.end();
            }
        }
    }

    /** Defines {@link Work} anew. */
    private static final class Throwaway extends ClassLoader {
        Throwaway() {
            super(null);
        }

        Class<?> define(byte[] code) {
            return defineClass(Work.class.getName(), code, 0, code.length);
        }
    }

    private static byte[] code() throws IOException {
        try (InputStream in = Storm.class.getResourceAsStream("Storm$Work.class")) {
            return in.readAllBytes();
        }
    }

    private static long storm(byte[] code, long end) {
        ArrayDeque<ByteBuffer> kept = new ArrayDeque<>();
        long rounds = 0;
        try {
            // A thread that comes to run only after the end still does one round.
            while (rounds == 0 || System.nanoTime() < end) {
                Object work = new Throwaway().define(code).getDeclaredConstructor().newInstance();
                for (int i = 0; i < 20; i++) {
                    ((Runnable) work).run();
                }
                kept.add(ByteBuffer.allocateDirect(1 + ThreadLocalRandom.current().nextInt(40_000)));
                if (kept.size() > 50) {
                    kept.clear();
                }
                if (rounds++ % 300 == 299) {
                    System.gc();
                }
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("WRONG: " + e);
        }
        return rounds;
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        int threads = Integer.parseInt(arguments[0]);
        long end = System.nanoTime() + Long.parseLong(arguments[1]) * 1_000_000_000L;
        byte[] code = code();
        long[] rounds = new long[threads];
        Thread[] all = new Thread[threads];
        for (int i = 0; i < threads; i++) {
            int at = i;
            all[i] = new Thread(() -> rounds[at] = storm(code, end), "storm-" + i);
            all[i].start();
        }
        long sum = 0;
        for (int i = 0; i < threads; i++) {
            all[i].join();
            if (rounds[i] == 0) {
                throw new IllegalStateException("WRONG: a thread did nothing");
            }
            sum += rounds[i];
        }
        System.out.println("classes=" + sum);
    }
}
