import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntUnaryOperator;
import java.util.zip.Inflater;
import sun.misc.Signal;
import sun.misc.Unsafe;

/**
 * What a JVM does to the stacks of those who allocate: each attack is one kind of it, for so many milliseconds, and
 * throws when Java itself misbehaves. What is printed does not depend on time or chance.
 *
 * <p>{@code Attacks NAME MILLISECONDS}; {@code mix} is all at once.
 */
@SuppressWarnings({"deprecation", "removal"})
public final class Attacks {
    private static final Unsafe UNSAFE = unsafe();
    private static final Map<String, Attack> ALL = new TreeMap<>();
    public static volatile Object sink;

    static {
        ALL.put("overflow", Attacks::overflow);
        ALL.put("recursion", Attacks::recursion);
        ALL.put("deoptimize", Attacks::deoptimize);
        ALL.put("exceptions", Attacks::exceptions);
        ALL.put("classes", Attacks::classes);
        ALL.put("names", Attacks::names);
        ALL.put("monitors", Attacks::monitors);
        ALL.put("interrupts", Attacks::interrupts);
        ALL.put("buffers", Attacks::buffers);
        ALL.put("collections", Attacks::collections);
        ALL.put("finalizers", Attacks::finalizers);
        ALL.put("threads", Attacks::threads);
        ALL.put("children", Attacks::children);
        ALL.put("signals", Attacks::signals);
    }

    private Attacks() {}

    private interface Attack {
        void until(long end) throws Exception;
    }

    private static Unsafe unsafe() {
        try {
            var field = Unsafe.class.getDeclaredField("theUnsafe");
            field.setAccessible(true);
            return (Unsafe) field.get(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean goesOn(long end) {
        return System.nanoTime() < end;
    }

    private static int random(int bound) {
        return ThreadLocalRandom.current().nextInt(bound);
    }

    /** Allocates in a native method, in the VM, or both. */
    public static void touch() {
        switch (random(3)) {
            case 0:
                new Inflater(true).end();
                break;
            case 1:
                UNSAFE.freeMemory(UNSAFE.allocateMemory(1 + random(20_000)));
                break;
            default:
                sink = new File("/proc/self/no-such-file-" + random(1000)).exists();
        }
    }

    private static void wrong(String what) {
        throw new IllegalStateException("WRONG: " + what);
    }

    /** Runs so many threads and fails with the first that failed. */
    private static void inThreads(int count, Attack attack, long end) throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        ConcurrentHashMap<String, Throwable> failures = new ConcurrentHashMap<>();
        for (int i = 0; i < count; i++) {
            Thread thread = new Thread(() -> {
                try {
                    attack.until(end);
                } catch (Throwable e) {
                    failures.put(Thread.currentThread().getName(), e);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (Throwable failure : failures.values()) {
            throw new IllegalStateException(failure);
        }
    }

    // The stack is used up, with a native allocation in every frame.

    private static int dive(int level) {
        long block = UNSAFE.allocateMemory(100 + level % 3000);
        try {
            return dive(level + 1) + 1;
        } finally {
            UNSAFE.freeMemory(block);
        }
    }

    private static int diveByPath(int level, String path) {
        sink = new File(path).canRead();
        return diveByPath(level + 1, path) + 1;
    }

    private static void overflow(long end) throws Exception {
        dive(Integer.MAX_VALUE, () -> {});
        while (goesOn(end)) {
            for (int size : new int[] {200_000, 400_000, 1_000_000}) {
                dive(size, () -> dive(0));
                dive(size, () -> diveByPath(0, "/proc/self/none"));
            }
        }
    }

    private static void dive(int stack, Runnable what) throws InterruptedException {
        AtomicInteger caught = new AtomicInteger();
        boolean isRehearsal = stack == Integer.MAX_VALUE;
        Thread thread = new Thread(null, () -> {
            for (int i = 0; i < 3; i++) {
                try {
                    what.run();
                } catch (StackOverflowError e) {
                    caught.incrementAndGet();
                }
            }
        }, "diver", isRehearsal ? 0 : stack);
        thread.start();
        thread.join();
        if (!isRehearsal && caught.get() != 3) {
            wrong(caught + " overflows");
        }
    }

    // Frames of every making: reflection, method handles, lambdas, proxies, constructors.

    /** Goes down by its constructor. */
    public static final class Step {
        final int depth;

        /** See above. */
        public Step(int levels) throws Exception {
            depth = step(levels) + 1;
        }
    }

    private static int step(int levels) throws Exception {
        touch();
        if (levels == 0) {
            return 0;
        }
        try {
            switch (levels % 5) {
                case 0:
                    return 1 + (int) Attacks.class.getDeclaredMethod("step", int.class).invoke(null, levels - 1);
                case 1:
                    MethodHandle handle = MethodHandles.lookup()
                            .findStatic(Attacks.class, "step", MethodType.methodType(int.class, int.class));
                    return 1 + (int) handle.invoke(levels - 1);
                case 2:
                    IntUnaryOperator lambda = Attacks::unchecked;
                    return 1 + lambda.applyAsInt(levels - 1);
                case 3:
                    IntUnaryOperator proxy = (IntUnaryOperator) Proxy.newProxyInstance(
                            Attacks.class.getClassLoader(),
                            new Class<?>[] {IntUnaryOperator.class},
                            (self, method, arguments) -> step((int) arguments[0]));
                    return 1 + proxy.applyAsInt(levels - 1);
                default:
                    return Step.class.getConstructor(int.class).newInstance(levels - 1).depth;
            }
        } catch (Exception e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static int unchecked(int levels) {
        try {
            return step(levels);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static void recursion(long end) throws Exception {
        inThreads(2, until -> {
            while (goesOn(until)) {
                int depth = step(120);
                if (depth != 120) {
                    wrong("depth " + depth);
                }
            }
        }, end);
    }

    // Code that is thrown away while threads run in it.

    /** What all shapes have. */
    public abstract static class HotShape {
        abstract int area(int n);
    }

    /** The only one at first: the call is bound to it. */
    public static final class HotSquare extends HotShape {
        @Override
        int area(int n) {
            if (n % 64 == 0) {
                touch();
            }
            return n * n;
        }
    }

    /** Comes later, and the code compiled until then is void. */
    public static final class HotCircle extends HotShape {
        @Override
        int area(int n) {
            touch();
            return 3 * n;
        }
    }

    /** Has a loop that becomes hot. */
    public static final class HotLoop implements Runnable {
        /** What the loop works with; changes under it. */
        public static volatile HotShape shape = new HotSquare();

        private static int[] numbers = new int[64];

        @Override
        public void run() {
            int sum = 0;
            for (int i = 0; i < 40_000; i++) {
                sum += shape.area(i & 1023) + numbers[i & 63];
            }
            for (int i = 0; i < 3; i++) {
                sum += trap(i, i == 0 ? null : shape, i == 1 ? new int[1] : numbers);
            }
            numbers[5] = sum;
        }

        private static int trap(int n, HotShape shape, int[] numbers) {
            try {
                return shape.area(64) + numbers[n + 5] / (n - 2);
            } catch (NullPointerException | ArrayIndexOutOfBoundsException | ArithmeticException e) {
                touch();
                return 1;
            }
        }

        /** Invalidates what was compiled. */
        public static void change() {
            shape = new HotCircle();
        }
    }

    /** Defines the hot classes anew. */
    private static final class Throwaway extends ClassLoader {
        private static final Map<String, byte[]> CODE = new ConcurrentHashMap<>();

        Throwaway() {
            super(Attacks.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("Attacks$Hot")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                byte[] code = CODE.computeIfAbsent(name, Attacks::code);
                return loaded != null ? loaded : defineClass(name, code, 0, code.length);
            }
        }

        Class<?> define(byte[] code) {
            return defineClass(null, code, 0, code.length);
        }
    }

    private static byte[] code(String name) {
        try (InputStream in = Attacks.class.getResourceAsStream(name + ".class")) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void deoptimize(long end) throws Exception {
        while (goesOn(end)) {
            Class<?> loop = new Throwaway().loadClass("Attacks$HotLoop");
            Runnable hot = (Runnable) loop.getDeclaredConstructor().newInstance();
            Thread[] threads = {new Thread(hot), new Thread(hot), new Thread(hot)};
            for (Thread thread : threads) {
                thread.start();
            }
            hot.run();
            loop.getMethod("change").invoke(null);
            for (Thread thread : threads) {
                thread.join();
            }
            hot.run();
        }
    }

    // Exceptions of all origins, with native allocations on the way out.

    private static int thrower(int kind, int levels) throws Exception {
        try {
            if (levels > 0) {
                return thrower(kind, levels - 1) + 1;
            }
            switch (kind) {
                case 0:
                    return ((String) sink(null)).length();
                case 1:
                    return numbers(levels)[kind];
                case 2:
                    return 1 / levels;
                case 3:
                    return ((String) sink(new Object())).length();
                case 4:
                    Class.forName("no.such.Class" + random(100));
                    return 0;
                case 5:
                    return new int[levels - 1].length;
                case 6:
                    UNSAFE.throwException(new IOException("thrown by the VM"));
                    return 0;
                default:
                    Attacks.class.getDeclaredMethod("thrower", int.class, int.class).invoke(null, 2, 20);
                    return 0;
            }
        } finally {
            touch();
        }
    }

    private static int[] numbers(int count) {
        return new int[count];
    }

    private static Object sink(Object object) {
        sink = object;
        return sink;
    }

    private static void exceptions(long end) throws Exception {
        while (goesOn(end)) {
            for (int kind = 0; kind < 8; kind++) {
                try {
                    thrower(kind, 30);
                    wrong("no exception of kind " + kind);
                } catch (NullPointerException | ArithmeticException | ArrayIndexOutOfBoundsException
                        | ClassCastException | NegativeArraySizeException | ReflectiveOperationException
                        | IOException e) {
                    if (!(e instanceof InvocationTargetException) && e.getStackTrace().length > 0
                            && e.getStackTrace().length < 30) {
                        wrong("a trace of " + e.getStackTrace().length);
                    }
                }
            }
        }
    }

    // Classes come and go.

    /** Is made again and again, also as a hidden class. */
    public static final class HotGuest implements Runnable {
        @Override
        public void run() {
            IntUnaryOperator lambda = n -> {
                touch();
                return n + 1;
            };
            Runnable work = () -> sink = lambda.applyAsInt(1);
            work.run();
        }
    }

    /** Null before JDK 15. */
    private static Method hidden() {
        for (Method method : MethodHandles.Lookup.class.getMethods()) {
            if (method.getName().equals("defineHiddenClass")) {
                return method;
            }
        }
        return null;
    }

    private static void classes(long end) throws Exception {
        Method define = hidden();
        byte[] code = code("Attacks$HotSquare");
        Class<?> options = define == null ? null : define.getParameterTypes()[2];
        Object none = define == null ? null : java.lang.reflect.Array.newInstance(options.getComponentType(), 0);
        inThreads(3, until -> {
            for (int i = 0; goesOn(until); i++) {
                Throwaway loader = new Throwaway();
                Class<?> guest = loader.loadClass("Attacks$HotGuest");
                ((Runnable) guest.getDeclaredConstructor().newInstance()).run();
                Runnable proxy = (Runnable) Proxy.newProxyInstance(
                        loader, guest.getInterfaces(), (self, method, given) -> {
                            touch();
                            return null;
                        });
                proxy.run();
                if (define != null) {
                    var lookup = (MethodHandles.Lookup) define.invoke(MethodHandles.lookup(), code, true, none);
                    Object shape = lookup.lookupClass().getDeclaredConstructor().newInstance();
                    ((HotShape) shape).area(64 * i);
                }
                if (i % 200 == 199) {
                    System.gc();
                }
            }
        }, end);
    }

    // Names that a reader of dumps would stumble over.

    /** Is renamed. */
    public static final class HotNamed implements Runnable {
        @Override
        public void run() {
            deeper(3);
        }

        private static void deeper(int levels) {
            touch();
            if (levels > 0) {
                deeper(levels - 1);
            }
        }
    }

    /** A class file in which strings of the constant pool are others. */
    private static byte[] renamed(byte[] code, Map<String, String> names) throws IOException {
        var out = new java.io.ByteArrayOutputStream();
        var to = new java.io.DataOutputStream(out);
        var from = new java.io.DataInputStream(new java.io.ByteArrayInputStream(code));
        to.writeLong(from.readLong());
        int count = from.readUnsignedShort();
        to.writeShort(count);
        for (int i = 1; i < count; i++) {
            int tag = from.readUnsignedByte();
            to.writeByte(tag);
            if (tag == 1) {
                String text = from.readUTF();
                to.writeUTF(names.getOrDefault(text, text));
                continue;
            }
            // Of long and double, which take two places; handles; references by one index and by two.
            int length = tag == 5 || tag == 6 ? 8 : tag == 15 ? 3 : tag == 7 || tag == 8 || tag == 16 ? 2 : 4;
            to.write(from.readNBytes(length));
            i += length == 8 ? 1 : 0;
        }
        to.write(from.readAllBytes());
        return out.toByteArray();
    }

    private static void names(long end) throws Exception {
        String[] methods = {
            "x".repeat(65_000), "\n# end\n", "\t\t\t\t", "a b\r\n@ 0x1 0x2\n  t*: 1: 1 (0: 0)", "%s%n%00", "\u0000\u0001\u007f",
            "\ud83d\ude00\ud800", "--", "$$Lambda$1/0x000000", "\"&'{}|\\",
        };
        byte[] code = code("Attacks$HotNamed");
        for (int i = 0; goesOn(end) || i < 2 * methods.length; i++) {
            String method = methods[i % methods.length];
            String owner = i % 3 == 0 ? "Attacks$HotNamed" : method.replace('/', '_') + i;
            Map<String, String> names = Map.of("Attacks$HotNamed", owner.length() > 64_900 ? method : owner,
                    "deeper", method.replace('/', '_'), "Attacks.java", method);
            Class<?> named = new Throwaway().define(renamed(code, names));
            ((Runnable) named.getDeclaredConstructor().newInstance()).run();
        }
    }

    // Threads that wait for one another.

    private static void monitors(long end) throws Exception {
        Object[] locks = {new Object(), new Object()};
        var fair = new java.util.concurrent.locks.ReentrantLock(true);
        int[] counts = new int[3];
        AtomicInteger sum = new AtomicInteger();
        inThreads(8, until -> {
            do {
                int at = random(2);
                synchronized (locks[at]) {
                    touch();
                    counts[at]++;
                    locks[at].notifyAll();
                    if (random(4) == 0) {
                        locks[at].wait(1);
                        touch();
                    }
                }
                fair.lock();
                try {
                    touch();
                    counts[2]++;
                } finally {
                    fair.unlock();
                }
                sum.addAndGet(2);
                LockSupport.parkNanos(random(1000));
            } while (goesOn(until));
        }, end);
        if (counts[0] + counts[1] + counts[2] != sum.get()) {
            wrong("a lock that does not exclude");
        }
    }

    private static void interrupts(long end) throws Exception {
        AtomicInteger met = new AtomicInteger();
        List<Thread> sleepers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            int kind = i;
            Thread thread = new Thread(() -> {
                do {
                    try (Selector selector = Selector.open()) {
                        rest(kind, selector);
                    } catch (IOException e) {
                        wrong(e.toString());
                    }
                    touch();
                    met.incrementAndGet();
                    Thread.interrupted();
                } while (goesOn(end));
            });
            thread.start();
            sleepers.add(thread);
        }
        for (Thread sleeper : sleepers) {
            while (sleeper.isAlive()) {
                sleepers.forEach(Thread::interrupt);
                touch();
                Thread.sleep(1);
            }
        }
        if (met.get() < 4) {
            wrong("nobody was interrupted");
        }
    }

    private static void rest(int kind, Selector selector) throws IOException {
        try {
            switch (kind) {
                case 0:
                    Thread.sleep(10_000);
                    break;
                case 1:
                    synchronized (selector) {
                        selector.wait(10_000);
                    }
                    break;
                case 2:
                    selector.select(10_000);
                    break;
                default:
                    LockSupport.parkNanos(10_000_000_000L);
            }
        } catch (InterruptedException e) {
            touch();
        }
    }

    // Memory that the collector gives back, and the collector itself.

    private static void buffers(long end) throws Exception {
        inThreads(3, until -> {
            ArrayDeque<ByteBuffer> kept = new ArrayDeque<>();
            for (int i = 0; goesOn(until); i++) {
                ByteBuffer buffer = ByteBuffer.allocateDirect(4 + random(300_000));
                buffer.putInt(0, i);
                kept.add(buffer);
                if (kept.size() > 40) {
                    kept.clear();
                }
                if (i % 300 == 299) {
                    System.gc();
                }
            }
        }, end);
    }

    private static void collections(long end) throws Exception {
        AtomicInteger number = new AtomicInteger();
        inThreads(5, until -> {
            boolean isCollector = number.getAndIncrement() == 0;
            while (goesOn(until)) {
                if (isCollector) {
                    System.gc();
                } else {
                    touch();
                    sink = new byte[random(100_000)];
                }
            }
        }, end);
    }

    /** Works when it is dead. */
    private static final class Ghost {
        private static final AtomicInteger DEAD = new AtomicInteger();

        @Override
        protected void finalize() {
            touch();
            DEAD.incrementAndGet();
        }
    }

    private static void finalizers(long end) throws Exception {
        for (int i = 0; goesOn(end) || Ghost.DEAD.get() == 0; i++) {
            sink = new Ghost();
            touch();
            if (i % 1000 == 999) {
                System.gc();
                System.runFinalization();
            }
        }
    }

    private static void threads(long end) throws Exception {
        while (goesOn(end)) {
            inThreads(10, until -> touch(), end);
        }
    }

    // What is beside Java.

    private static void children(long end) throws Exception {
        inThreads(2, until -> {
            do {
                touch();
                Process child = new ProcessBuilder("sh", "-c", "cat; exit 7").start();
                child.getOutputStream().write("said\n".getBytes());
                child.getOutputStream().close();
                String said = new String(child.getInputStream().readAllBytes());
                int status = child.waitFor();
                if (!said.equals("said\n") || status != 7) {
                    wrong("a child said " + said + " and ended with " + status);
                }
            } while (goesOn(until));
        }, end);
    }

    private static void signals(long end) throws Exception {
        AtomicInteger met = new AtomicInteger();
        Signal signal = new Signal("USR2");
        Signal.handle(signal, caught -> {
            touch();
            met.incrementAndGet();
        });
        for (int raised = 1; goesOn(end); raised++) {
            Signal.raise(signal);
            while (met.get() < raised) {
                touch();
            }
        }
    }

    private static void mix(long end) throws Exception {
        List<Attack> attacks = new ArrayList<>(ALL.values());
        AtomicInteger next = new AtomicInteger();
        inThreads(attacks.size(), until -> attacks.get(next.getAndIncrement()).until(until), end);
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        // At the first time a late JVM warns.
        UNSAFE.freeMemory(UNSAFE.allocateMemory(1));
        long end = System.nanoTime() + Long.parseLong(arguments[1]) * 1_000_000L;
        Attack attack = arguments[0].equals("mix") ? Attacks::mix : ALL.get(arguments[0]);
        attack.until(end);
        System.out.println(arguments[0] + " is over");
    }
}
