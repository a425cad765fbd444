import java.util.ArrayList;
import java.util.List;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Two threads that open, use and end Deflaters and Inflaters by the ten thousand, beside a small leak: one Deflater of
 * forty is never ended. Nearly all that malloc gives are blocks of 64 to 128 KB, freed at once and mostly not touched.
 *
 * <p>{@code java Deflaters [rounds of each thread]}
 */
public final class Deflaters {
    private static final int ROUNDS = 25_000;
    private static final int THREADS = 2;
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
        long leaked = 0;
        for (Worker worker : workers) {
            worker.join();
            leaked += worker.leaked.size();
        }
        if (System.getenv("RATIO_HOLD") != null) {
            System.out.println("live " + leaked * DEFLATER_BYTES);
            System.in.read();
        }
    }

    private static final class Worker extends Thread {
        final List<Deflater> leaked = new ArrayList<>();
        private final int rounds;
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
                unpack(pack(i % LEAK_ONE_IN == 0));
            }
        }

        private int pack(boolean leak) {
            Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION);
            deflater.setInput(text);
            deflater.finish();
            int length = deflater.deflate(packed);
            if (leak) {
                leaked.add(deflater);
            } else {
                deflater.end();
            }
            return length;
        }

        private void unpack(int length) {
            Inflater inflater = new Inflater();
            try {
                inflater.setInput(packed, 0, length);
                if (inflater.inflate(unpacked) != text.length) {
                    throw new IllegalStateException("the text came back shorter or longer");
                }
            } catch (DataFormatException damaged) {
                throw new IllegalStateException(damaged);
            } finally {
                inflater.end();
            }
        }
    }
}
