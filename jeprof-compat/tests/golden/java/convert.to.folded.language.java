Caches.<clinit>;<b>&"quoted"��[31m.a -- b(c)�d 829411
[jit compiler thread] 829411
com.example.shop.Main.main;com.example.logging.ExceptionLogger.log;java.util.zip.GZIPOutputStream.<init>;java.util.zip.Deflater.<init>;java.util.zip.Deflater.init 4147057
java.lang.Thread.run;com.example.shop.Main$Worker.lambda$run$0;java.util.zip.Deflater.<init>;java.util.zip.Deflater.init 1658823
