import java.util.*;
import java.util.zip.Deflater;
public class Kept {
    static final List<Deflater> KEPT = new ArrayList<>();
    static void open(int n) { for (int i = 0; i < n; i++) KEPT.add(new Deflater(9, true)); }
    public static void main(String[] args) { open(200); new Thread(() -> open(100)).start(); }
}
