import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.GZIPOutputStream;

/**
 * A small service with the best-known native leak of the JVM: a logger that compresses its records and never closes
 * the {@link GZIPOutputStream}.
 *
 * <p>A pool of workers answers requests. Every answer is compressed by a stream that is closed as it should be: that is
 * the traffic, 5 GiB through malloc in all, since each Deflater costs 268 KB of native memory for as long as it
 * lives. One request in thirteen fails. The exception logger keeps one open record per failed request, so that later
 * failures of the same request could be appended to it, and nothing ever closes or forgets a record. On the Java heap
 * a record is about 3 KB and nobody notices; behind it the Deflater keeps its window and tables, and neither the
 * garbage collector nor the Cleaner may take them, as the record is reachable.
 *
 * <p>At its end the program prints what it knows to be true, one {@code name=value} a line, for a test to compare.
 *
 * <p>{@code java ExceptionLogger.java [requests] [workers] [seconds]}, JDK 11 or later. As fast as it can by default;
 * given seconds, the load is spread over that time.
 */
public final class ExceptionLogger {
    private static final int REQUESTS = 20_000;
    private static final int WORKERS = 4;
    private static final int FAILS_ONE_IN = 13;
    private static final int PACE = 50;

    /**
     * What deflateInit2_ takes from malloc for the default window of 2^15 and memory level 8: the formula of zconf.h,
     * (1 << windowBits + 2) + (1 << memLevel + 9), and the deflate_state: 5,952 bytes in zlib 1.2.13 on a 64-bit
     * machine, a few more or less in others.
     */
    private static final long DEFLATE_BYTES = (1L << 15 + 2) + (1L << 8 + 9) + 5_952;

    public static void main(String[] args) throws InterruptedException {
        int requests = args.length > 0 ? Integer.parseInt(args[0]) : REQUESTS;
        int workers = args.length > 1 ? Integer.parseInt(args[1]) : WORKERS;
        int seconds = args.length > 2 ? Integer.parseInt(args[2]) : 0;

        RecordingLogger logger = new RecordingLogger();
        Service service = new Service(logger);
        service.serve(requests, workers, seconds);

        System.out.println("requests=" + requests);
        System.out.println("answered=" + service.answered());
        System.out.println("malloc_traffic_bytes>=" + requests * DEFLATE_BYTES);
        System.out.println("leaked_deflaters=" + logger.openRecords());
        System.out.println("leaked_bytes=" + logger.openRecords() * DEFLATE_BYTES);
    }

    /** Answers requests on a pool of workers, and reports the ones that fail. */
    private static final class Service {
        private final RecordingLogger logger;
        private final AtomicInteger answered = new AtomicInteger();

        Service(RecordingLogger logger) {
            this.logger = logger;
        }

        void serve(int requests, int workers, int seconds) throws InterruptedException {
            ExecutorService pool = Executors.newFixedThreadPool(workers);
            CountDownLatch done = new CountDownLatch(requests);
            long start = System.currentTimeMillis();
            for (int i = 0; i < requests; i++) {
                int id = i;
                if (id % PACE == 0) {
                    // By the clock: what a busy machine delays is made up for.
                    long due = start + seconds * 1000L * id / requests;
                    Thread.sleep(Math.max(0, due - System.currentTimeMillis()));
                }
                pool.execute(() -> {
                    try {
                        answer(id);
                    } finally {
                        done.countDown();
                    }
                });
            }
            done.await();
            pool.shutdown();
        }

        private void answer(int id) {
            try {
                byte[] body = compress(render(id));
                if (body.length > 0) {
                    answered.incrementAndGet();
                }
            } catch (IOException | IllegalStateException failure) {
                logger.log("request-" + id, failure);
            }
        }

        private static String render(int id) {
            if (id % FAILS_ONE_IN == 0) {
                throw new IllegalStateException("no stock left for order " + id);
            }
            StringBuilder page = new StringBuilder();
            for (int line = 0; line < 40; line++) {
                page.append("<tr><td>").append(id * 31L + line).append("</td><td>in stock</td></tr>\n");
            }
            return page.toString();
        }

        /** The honest use: the stream is closed, and its Deflater's memory goes back at once. */
        private static byte[] compress(String page) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
                gzip.write(page.getBytes(StandardCharsets.UTF_8));
            }
            return bytes.toByteArray();
        }

        int answered() {
            return answered.get();
        }
    }

    /** The leak: one compressed record per failed request, left open for more of the same. */
    private static final class RecordingLogger {
        private final Map<String, OpenRecord> open = new ConcurrentHashMap<>();

        void log(String request, Throwable failure) {
            open.computeIfAbsent(request, OpenRecord::new).append(failure);
        }

        int openRecords() {
            return open.size();
        }
    }

    private static final class OpenRecord {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final GZIPOutputStream gzip;

        OpenRecord(String request) {
            try {
                gzip = new GZIPOutputStream(bytes, 512, true);
            } catch (IOException impossible) {
                throw new AssertionError("writing " + request + " to memory failed", impossible);
            }
        }

        synchronized void append(Throwable failure) {
            PrintWriter out = new PrintWriter(gzip, false, StandardCharsets.UTF_8);
            failure.printStackTrace(out);
            out.flush(); // flushed, so that the record can be read at any time; never closed
        }
    }
}
