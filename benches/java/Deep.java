import java.lang.management.ManagementFactory;
import java.util.zip.Inflater;

/** Allocates native memory under a stack of a given depth and says what that cost: for java_frames.sh. */
public class Deep {
    /** So that a stack has more than one class. */
    static final class Other {
        static int left(int depth, int rounds) {
            return depth <= 0 ? work(rounds) : right(depth - 1, rounds) + 1;
        }
    }

    static int right(int depth, int rounds) {
        if (depth <= 0) {
            return work(rounds);
        }
        return middle(depth - 1, rounds) + 1;
    }

    static int middle(int depth, int rounds) {
        if (depth <= 0) {
            return work(rounds);
        }
        return Other.left(depth - 1, rounds) + 1;
    }

    static int work(int rounds) {
        for (int i = 0; i < rounds; i++) {
            new Inflater().end();
        }
        return rounds;
    }

    /** Arguments: depth, rounds of one descent, descents. Prints nanoseconds of processor time for a round. */
    public static void main(String[] args) {
        int depth = Integer.parseInt(args[0]);
        int rounds = Integer.parseInt(args[1]);
        int descents = Integer.parseInt(args[2]);
        var threads = ManagementFactory.getThreadMXBean();
        // The first part is for the compilers.
        for (int i = 0; i < descents; i++) {
            Other.left(depth, rounds);
        }
        long begin = threads.getCurrentThreadCpuTime();
        for (int i = 0; i < descents; i++) {
            Other.left(depth, rounds);
        }
        long spent = threads.getCurrentThreadCpuTime() - begin;
        System.out.println(spent / ((long) rounds * descents));
    }
}
