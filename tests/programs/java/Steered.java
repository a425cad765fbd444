import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;

/**
 * Threads that allocate in phases and keep all of it. Phase N begins when the file "go" + N is there,
 * and collects and makes the file "done" + N at its end.
 *
 *   Steered THREADS PHASES OBJECTS
 */
public class Steered {
    static void keep(List<Object> kept, int objects) {
        for (int i = 0; i < objects; i++) {
            kept.add(new byte[984]);
        }
    }

    static void work(CyclicBarrier barrier, int phases, int objects) {
        List<Object> kept = new ArrayList<>();
        try {
            for (int phase = 1; phase <= phases; phase++) {
                barrier.await();
                keep(kept, objects);
                barrier.await();
            }
            // Nothing goes before the process does.
            barrier.await();
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    public static void main(String[] arguments) throws Exception {
        int threads = Integer.parseInt(arguments[0]);
        int phases = Integer.parseInt(arguments[1]);
        int objects = Integer.parseInt(arguments[2]);
        CyclicBarrier barrier = new CyclicBarrier(threads + 1);
        for (int i = 0; i < threads; i++) {
            Thread thread = new Thread(() -> work(barrier, phases, objects));
            thread.setDaemon(true);
            thread.start();
        }
        for (int phase = 1; phase <= phases; phase++) {
            while (!Files.exists(Path.of("go" + phase))) {
                if (Files.exists(Path.of("end"))) {
                    System.out.println("done");
                    return;
                }
                Thread.sleep(20);
            }
            barrier.await();
            barrier.await();
            System.gc();
            Files.createFile(Path.of("done" + phase));
        }
        while (!Files.exists(Path.of("end"))) {
            Thread.sleep(20);
        }
        System.out.println("done");
    }
}
