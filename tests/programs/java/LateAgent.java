import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;

/** An agent that is loaded into a program that runs, and has a class of it made anew. */
public class LateAgent {
    public static void agentmain(String arguments, Instrumentation instrumentation) throws Exception {
        instrumentation.addTransformer(new ClassFileTransformer() {
            @Override
            public byte[] transform(ClassLoader loader, String name, Class<?> type, ProtectionDomain domain, byte[] code) {
                return "Steered".equals(name) ? code.clone() : null;
            }
        }, true);
        for (Class<?> type : instrumentation.getAllLoadedClasses()) {
            if (type.getName().equals("Steered")) {
                instrumentation.retransformClasses(type);
                System.out.println("retransformed=1");
            }
        }
    }
}
