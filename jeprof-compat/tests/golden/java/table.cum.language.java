Total: 7.1 MB
     0.0   0.0%   0.0%      5.5  77.8% java.util.zip.Deflater.<init>
     5.5  77.8%  77.8%      5.5  77.8% java.util.zip.Deflater.init
     0.0   0.0%  77.8%      4.0  55.6% com.example.logging.ExceptionLogger.log
     0.0   0.0%  77.8%      4.0  55.6% com.example.shop.Main.main
     0.0   0.0%  77.8%      4.0  55.6% java.util.zip.GZIPOutputStream.<init>
     0.0   0.0%  77.8%      1.6  22.2% com.example.shop.Main$Worker.lambda$run$0
     0.0   0.0%  77.8%      1.6  22.2% java.lang.Thread.run
     0.8  11.1%  88.9%      0.8  11.1% <b>&"quoted"��[31m.a -- b(c)�d
     0.0   0.0%  88.9%      0.8  11.1% Caches.<clinit>
     0.8  11.1% 100.0%      0.8  11.1% [jit compiler thread]
Asked for by: libz.so.1.2.13 77.8%, Ruby code 11.1%, libjvm.so for itself 11.1%
