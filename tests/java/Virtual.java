import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.Deflater;

/** Virtual threads that allocate before and after they were parked. JDK 21. */
public final class Virtual {
    private static final List<Deflater> KEPT = new ArrayList<>();

    private Virtual() {}

    private static void keepBefore() {
        keep();
    }

    private static void keepAfter() {
        keep();
    }

    private static void keep() {
        synchronized (KEPT) {
            KEPT.add(new Deflater());
        }
    }

    private static void deep(int levels) throws InterruptedException {
        if (levels > 0) {
            deep(levels - 1);
            keepAfter();
            return;
        }
        keepBefore();
        Thread.sleep(2);
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                all.add(threads.submit(() -> {
                    deep(8);
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
        System.out.println("kept=" + KEPT.size());
    }
}
