import java.io.IOException;
import java.io.InputStream;
import java.lang.instrument.ClassDefinition;
import java.lang.instrument.Instrumentation;
import java.nio.charset.StandardCharsets;
import java.util.zip.Deflater;

/**
 * Allocates native memory in methods of a class that is redefined again and again, so that old versions of its methods
 * are on the stacks.
 *
 * <p>{@code java -javaagent:JAR -cp JAR Redefined TIMES}, with this class as the agent in the jar.
 */
public final class Redefined {
    private static volatile Instrumentation instrumentation;
    private static volatile boolean isOver;

    private Redefined() {}

    static final class Work implements Runnable {
        static volatile String version;

        @Override
        public void run() {
            while (!isOver) {
                deep(20);
            }
        }

        private void deep(int left) {
            version = "version-A";
            if (left > 0) {
                deep(left - 1);
            } else {
                new Deflater().end();
            }
        }
    }

    /** As an agent. */
    public static void premain(String arguments, Instrumentation given) {
        instrumentation = given;
    }

    private static byte[] code() throws IOException {
        try (InputStream in = Redefined.class.getResourceAsStream("Redefined$Work.class")) {
            return in.readAllBytes();
        }
    }

    /** The other constant makes the old version an obsolete one. */
    private static byte[] version(byte[] code, int at) {
        String text = new String(code, StandardCharsets.ISO_8859_1);
        String other = text.replace("version-A", "version-" + (char) ('A' + at % 26));
        return other.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        byte[] code = code();
        Thread[] threads = new Thread[3];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(new Work(), "work-" + i);
            threads[i].start();
        }
        int times = Integer.parseInt(arguments[0]);
        for (int i = 1; i <= times; i++) {
            instrumentation.redefineClasses(new ClassDefinition(Work.class, version(code, i)));
            Thread.sleep(20);
        }
        isOver = true;
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println("redefined=" + times);
        System.out.println("last=" + (Work.version.charAt(8) - 'A'));
    }
}
