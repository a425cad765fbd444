java gzip.heap, 1 dump in 0 ms
Too few samples for a verdict.
Run longer, or take more samples: a lower --rate (lg_prof_sample).

1. TOO FEW SAMPLES: com.example.logging.ExceptionLogger.log (ExceptionLogger.java:42)
   4.0 MB live, 5 samples
   because only 5 samples live
   Allocated by libz.so.1.2.13, called from ExceptionLogger.java:42 (com.example.logging.ExceptionLogger.log).
   live by birth, oldest first: | █  |
     com.example.logging.ExceptionLogger.log (ExceptionLogger.java:42)
     com.example.shop.Main.main (Main.java:12)

2. TOO FEW SAMPLES: com.example.shop.Main$Worker.lambda$run$0 (Main.java:77)
   1.6 MB live, 2 samples
   because only 2 samples live
   Allocated by libz.so.1.2.13, called from Main.java:77 (com.example.shop.Main$Worker.lambda$run$0).
   live by birth, oldest first: | █  |
     com.example.shop.Main$Worker.lambda$run$0 (Main.java:77)
     and 1 frame more

3. TOO FEW SAMPLES: <b>&"quoted"��[31m.a -- b(c)�d (x�.java:3)
   810 KB live, 1 sample
   because only 1 sample live
   Made by Ruby code, at zlib.rb:7 (Zlib::Deflate#deflate).
   live by birth, oldest first: |   █|
     <b>&"quoted"��[31m.a -- b(c)�d (x�.java:3)
     Caches.<clinit> (Caches.java:5)

4. TOO FEW SAMPLES: [jit compiler thread]
   810 KB live, 1 sample
   because only 1 sample live
   Allocated by libjvm.so for itself: no line of a program is on the stack.
   live by birth, oldest first: |  █ |
     and 1 frame more

java gzip.heap, 1 dump in 0 ms, java_heap
Too few samples for a verdict.
Run longer, or take more samples: a lower --rate (lg_prof_sample).

1. TOO FEW SAMPLES: com.example.logging.ExceptionLogger.log (ExceptionLogger.java:42)
   6.0 MB live, 12 samples
   because only 0 samples from after the warm-up older than 1 ms
   Most of it is objects of byte[].
   live by birth, oldest first: | █  |
     byte[]
     com.example.logging.ExceptionLogger.log (ExceptionLogger.java:42)
     com.example.shop.Main.main (Main.java:12)
