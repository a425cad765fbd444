import java.util.ArrayList;
import java.util.List;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Two threads that open, use and end Deflaters and Inflaters by the ten thousand, beside a small leak: one Deflater of
 * forty is never ended. Nearly all that malloc gives are blocks of 64 to 128 KB that soon go back. Each thread has a few
 * open at once: with a single one glibc gives its memory to the kernel and takes it back each time, or not, by chance.
 *
 * <p>{@code java Deflaters [rounds of each thread]}
 */
public final class Deflaters {
    private static final int ROUNDS = 25_000;
    private static final int THREADS = 2;
    private static final int OPEN_AT_ONCE = 16;
    private static final int LEAK_ONE_IN = 40;

    /** What a Deflater takes from malloc: the formula of zconf.h, and zlib's deflate_state. */
    private static final long DEFLATER_BYTES = (1L << 15 + 2) + (1L << 8 + 9) + 5_952;

    public static void main(String[] args) throws Exception {
        int rounds = args.length > 0 ? Integer.parseInt(args[0]) : ROUNDS;
        List<Worker> workers = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            workers.add(new Worker(rounds, i));
        }
        for (Worker worker : workers) {
            worker.start();
        }
        long held = 0;
        for (Worker worker : workers) {
            worker.join();
            held += worker.leaked.size() + OPEN_AT_ONCE;
        }
        if (System.getenv("RATIO_HOLD") != null) {
            System.out.println("live " + held * DEFLATER_BYTES);
            System.in.read();
        }
    }

    private static final class Worker extends Thread {
        final List<Deflater> leaked = new ArrayList<>();
        private final int rounds;
        private final Deflater[] deflaters = new Deflater[OPEN_AT_ONCE];
        private final Inflater[] inflaters = new Inflater[OPEN_AT_ONCE];
        private final byte[] text = new byte[8_000];
        private final byte[] packed = new byte[10_000];
        private final byte[] unpacked = new byte[10_000];

        Worker(int rounds, int seed) {
            this.rounds = rounds;
            for (int i = 0; i < text.length; i++) {
                text[i] = (byte) ('a' + (i * i + seed) % 23);
            }
        }

        @Override
        public void run() {
            for (int i = 0; i < rounds; i++) {
                int slot = i % OPEN_AT_ONCE;
                if (i >= OPEN_AT_ONCE) {
                    end(slot, i % LEAK_ONE_IN == 0);
                }
                open(slot);
            }
        }

        private void open(int slot) {
            Deflater deflater = deflaters[slot] = new Deflater();
            deflater.setInput(text);
            deflater.finish();
            int length = deflater.deflate(packed);
            Inflater inflater = inflaters[slot] = new Inflater();
            inflater.setInput(packed, 0, length);
            try {
                if (inflater.inflate(unpacked) != text.length) {
                    throw new IllegalStateException("the text came back shorter or longer");
                }
            } catch (DataFormatException damaged) {
                throw new IllegalStateException(damaged);
            }
        }

        private void end(int slot, boolean leak) {
            inflaters[slot].end();
            if (leak) {
                leaked.add(deflaters[slot]);
            } else {
                deflaters[slot].end();
            }
        }
    }
}
