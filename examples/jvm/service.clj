;; A small service over HTTP and its clients in one process. The programs beside this one say what a request does.
(ns service
  (:import (com.sun.net.httpserver HttpExchange HttpHandler HttpServer)
           (java.net HttpURLConnection InetSocketAddress URL)
           (java.util.concurrent Executors)
           (java.util.concurrent.atomic AtomicLong)))

(def clients 4)
(def per-second 250)

(defn- start [answer]
  ;; Or each answer waits 40 ms for an acknowledgement.
  (System/setProperty "sun.net.httpserver.nodelay" "true")
  (let [server (HttpServer/create (InetSocketAddress. "127.0.0.1" 0) 0)]
    (.createContext server "/"
      (reify HttpHandler
        (^void handle [_ ^HttpExchange exchange]
          (let [text (answer (Long/parseLong (.getQuery (.getRequestURI exchange))))
                bytes (.getBytes (str text) "UTF-8")]
            (.sendResponseHeaders exchange 200 (alength bytes))
            (doto (.getResponseBody exchange) (.write bytes) (.close))))))
    (.setExecutor server (Executors/newFixedThreadPool 4))
    (.start server)
    server))

(defn- ask [port number]
  (let [url (URL. (str "http://127.0.0.1:" port "/?" number))]
    (with-open [in (.getInputStream ^HttpURLConnection (.openConnection url))]
      (slurp in))))

(defn serve
  "Answers each request, which is a number, by `answer`; for as many seconds as the command line says, 30 without."
  [answer]
  (let [seconds (or (some parse-long *command-line-args*) 30)
        server (start answer)
        port (.getPort (.getAddress ^HttpServer server))
        numbers (AtomicLong.)
        begin (System/nanoTime)
        passed #(/ (- (System/nanoTime) begin) 1e9)
        client (fn []
                 (while (< (passed) seconds)
                   ;; By the clock: what a busy machine delays is made up for.
                   (let [number (.getAndIncrement numbers)
                         early (- (/ number (double per-second)) (passed))]
                     (when (pos? early) (Thread/sleep (long (* 1000 early))))
                     (ask port number))))]
    (run! deref (doall (repeatedly clients #(future (client)))))
    (.stop ^HttpServer server 0)
    (println (.get numbers) "requests")
    (System/exit 0)))
