;; Offers for customers, by a memoize that each request feeds a new key: its cache is a map that nobody empties.
;;
;;   java -cp .:clojure.jar:... clojure.main prices.clj [repaired] [SECONDS]
(ns prices
  (:require [service]))

(defn offer-for [item customer]
  {:item item
   :customer customer
   :steps (double-array (map #(* % 1.07) (range 1000)))})

(def cached-offer (memoize offer-for))

(def repaired? (some #{"repaired"} *command-line-args*))

(defn answer [number]
  (let [item (str "item-" (mod number 100))
        ;; The key has the number of the request in it, so that it is a new one each time.
        customer (if repaired? "any" (str "customer-" number))
        offer (cached-offer item customer)]
    (str (:item offer) " " (aget ^doubles (:steps offer) 10))))

(service/serve answer)
