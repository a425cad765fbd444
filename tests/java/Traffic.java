import java.util.zip.Deflater;

/**
 * Compresses, with a Deflater of its own each time: 268 KB of malloc for some kilobytes of work, so that a core that
 * does nothing else moves about one GB a second. It says how much that was.
 *
 * <p>{@code Traffic ROUNDS BYTES_EACH}
 */
public final class Traffic {
    private static final long DEFLATE_BYTES = (1L << 15 + 2) + (1L << 8 + 9) + 5_952;

    private Traffic() {}

    /** See above. */
    public static void main(String[] arguments) {
        int rounds = Integer.parseInt(arguments[0]);
        byte[] input = new byte[Integer.parseInt(arguments[1])];
        byte[] output = new byte[input.length + 100];
        for (int i = 0; i < input.length; i++) {
            input[i] = (byte) (i * 31L * i % 251 % 61);
        }
        long length = 0;
        for (int i = 0; i < rounds; i++) {
            Deflater deflater = new Deflater();
            deflater.setInput(input);
            deflater.finish();
            length += deflater.deflate(output);
            deflater.end();
        }
        System.out.println("malloc_bytes=" + rounds * DEFLATE_BYTES + " deflated_bytes=" + length);
    }
}
