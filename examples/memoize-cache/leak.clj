;; A memoize fed a new key by every call: its cache is a map that nobody empties.
;;
;;   java -cp /usr/share/java/clojure.jar clojure.main leak.clj [SESSIONS] [SECONDS]
;;
;; As fast as it can by default; given seconds, the sessions are spread over that time.

(defn load-session [id]
  (byte-array 2000))

(def session (memoize load-session))

(let [sessions (Long/parseLong (or (first *command-line-args*) "50000"))
      seconds (Long/parseLong (or (second *command-line-args*) "0"))
      start (System/currentTimeMillis)]
  (dotimes [id sessions]
    (when (zero? (mod id 100))
      ;; By the clock: what a busy machine delays is made up for.
      (Thread/sleep (max 0 (- (+ start (quot (* id seconds 1000) sessions)) (System/currentTimeMillis)))))
    (session (str "session-" id)))
  (System/gc)
  ;; An array has a header of 16 bytes.
  (println (str "leaked_array_bytes=" (* 2016 sessions))))
