import java.util.ArrayList;
import java.util.List;

/**
 * Waits, then keeps what it says, and garbage beside it: what a profiler that finds the JVM late has
 * to find.
 *
 *   Later
 */
public class Later {
    static final List<Object> kept = new ArrayList<>();
    static volatile Object last;

    static void keep(int count) {
        for (int i = 0; i < count; i++) {
            kept.add(new long[500]);
            last = new char[300];
        }
    }

    public static void main(String[] arguments) throws Exception {
        Thread.sleep(2000);
        keep(20_000);
        last = null;
        System.gc();
        System.out.println("kept_bytes=" + 20_000 * (16 + 8 * 500));
    }
}
