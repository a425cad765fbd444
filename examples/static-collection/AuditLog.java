import java.util.ArrayList;
import java.util.List;

/**
 * A static collection that grows: each request leaves an entry in an audit trail that nobody empties. Beside it each
 * request makes garbage, five times as much, of which nothing stays.
 *
 *   java AuditLog.java [REQUESTS]
 */
public class AuditLog {
    static final int PAYLOAD = 1000;

    /** 12 bytes of header, a reference, two ints: 24 bytes. */
    static final class Entry {
        final int request;
        final int user;
        final byte[] payload;

        Entry(int request, int user) {
            this.request = request;
            this.user = user;
            this.payload = new byte[PAYLOAD];
        }
    }

    static final List<Entry> trail = new ArrayList<>();
    static Object last;

    static void note(int request) {
        trail.add(new Entry(request, request % 100));
    }

    static void handle(int request) {
        for (int i = 0; i < 5; i++) {
            last = new char[PAYLOAD / 2];
        }
        note(request);
    }

    public static void main(String[] arguments) {
        int requests = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 100_000;
        for (int request = 0; request < requests; request++) {
            handle(request);
        }
        last = null;
        System.gc();
        // An array has a header of 16 bytes, and all is rounded up to 8.
        System.out.println("leaked_payload_bytes=" + (16L + PAYLOAD) * trail.size());
        System.out.println("leaked_entry_bytes=" + 24L * trail.size());
    }
}
