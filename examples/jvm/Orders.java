import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.GZIPOutputStream;

/**
 * Orders over HTTP, and their clients in one process. The traffic comes in bursts: one second in six has nine tenths of
 * it. One order in thirteen fails, and its exception is logged to a compressed record.
 *
 * <p>{@code java Orders [repaired] [SECONDS]}; 30 seconds by default.
 */
public final class Orders {
    private static final int CLIENTS = 8;
    private static final int FAILS_ONE_IN = 13;

    /** Orders a second, in a burst and otherwise. */
    private static final double[] RATES = {2500, 50};
    private static final double CYCLE = 6;

    public static void main(String[] args) throws Exception {
        boolean repaired = List.of(args).contains("repaired");
        double seconds = 30;
        for (String arg : args) {
            seconds = arg.matches("[0-9]+") ? Double.parseDouble(arg) : seconds;
        }
        // Or each answer waits 40 ms for an acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        ExceptionLogger logger = new ExceptionLogger(repaired);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> answer(exchange, logger));
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
        int orders = load(server.getAddress().getPort(), seconds);
        System.out.println("orders=" + orders);
        System.out.println("open_records=" + logger.open());
        System.exit(0);
    }

    private static void answer(HttpExchange exchange, ExceptionLogger logger) throws IOException {
        int order = Integer.parseInt(exchange.getRequestURI().getQuery());
        byte[] body;
        try {
            body = confirm(order).getBytes(StandardCharsets.UTF_8);
        } catch (IllegalStateException failure) {
            logger.log("order-" + order, failure);
            body = "sold out".getBytes(StandardCharsets.UTF_8);
        }
        exchange.sendResponseHeaders(200, body.length);
        try (exchange) {
            exchange.getResponseBody().write(body);
        }
    }

    private static String confirm(int order) {
        if (order % FAILS_ONE_IN == 0) {
            throw new IllegalStateException("no stock left for order " + order);
        }
        return "<p>order " + order + " is on its way</p>".repeat(20);
    }

    /** Sends orders for so many seconds, and says how many. */
    private static int load(int port, double seconds) throws InterruptedException {
        long start = System.nanoTime();
        AtomicInteger sent = new AtomicInteger();
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            Thread client = new Thread(() -> {
                double passed = 0;
                while (passed < seconds) {
                    // By the clock: what a busy machine delays is made up for.
                    if (sent.get() < due(passed)) {
                        send(port, sent.getAndIncrement());
                    } else {
                        pause();
                    }
                    passed = (System.nanoTime() - start) / 1e9;
                }
            });
            client.start();
            clients.add(client);
        }
        for (Thread client : clients) {
            client.join();
        }
        return sent.get();
    }

    /** How many orders should have been sent by then. */
    private static double due(double passed) {
        double cycles = Math.floor(passed / CYCLE);
        double within = passed - cycles * CYCLE;
        double each = RATES[0] + (CYCLE - 1) * RATES[1];
        return cycles * each + Math.min(within, 1) * RATES[0] + Math.max(within - 1, 0) * RATES[1];
    }

    private static void send(int port, int order) {
        try {
            HttpURLConnection connection =
                    (HttpURLConnection) new URL("http://127.0.0.1:" + port + "/?" + order).openConnection();
            try (InputStream in = connection.getInputStream()) {
                in.readAllBytes();
            }
        } catch (IOException failure) {
            throw new java.io.UncheckedIOException(failure);
        }
    }

    private static void pause() {
        try {
            Thread.sleep(2);
        } catch (InterruptedException ignored) {
            Thread.currentThread().interrupt();
        }
    }
}

/**
 * Logs what failed, compressed, so that it can be read later. A record that is not closed keeps 262 KB of native memory
 * behind its Deflater, of which the Java heap shows nothing.
 */
final class ExceptionLogger {
    private final Map<String, GZIPOutputStream> records = new ConcurrentHashMap<>();
    private final boolean repaired;

    ExceptionLogger(boolean repaired) {
        this.repaired = repaired;
    }

    void log(String order, Throwable failure) throws IOException {
        GZIPOutputStream record = new GZIPOutputStream(new ByteArrayOutputStream(), true);
        PrintWriter text = new PrintWriter(record, false, StandardCharsets.UTF_8);
        failure.printStackTrace(text);
        text.flush();
        if (repaired) {
            record.close();
        } else {
            records.put(order, record);
        }
    }

    int open() {
        return records.size();
    }
}
