/** Says so and ends. */
public final class Hello {
    private Hello() {}

    /** See above. */
    public static void main(String[] arguments) {
        System.out.println("hello");
    }
}
