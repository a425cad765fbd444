;; A memoize fed a new key by every call: its cache is a map that nobody empties.
;;
;;   java -cp /usr/share/java/clojure.jar clojure.main leak.clj [SESSIONS]

(defn load-session [id]
  (byte-array 2000))

(def session (memoize load-session))

(let [sessions (Long/parseLong (or (first *command-line-args*) "50000"))]
  (dotimes [id sessions]
    (session (str "session-" id)))
  (System/gc)
  ;; An array has a header of 16 bytes.
  (println (str "leaked_array_bytes=" (* 2016 sessions))))
