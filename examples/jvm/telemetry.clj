;; Readings of sensors, each with its schema, decoded by a library (wire.clj) that keeps the descriptor of each in a
;; ConcurrentHashMap.
;;
;;   java -cp .:clojure.jar:...:protobuf.jar clojure.main telemetry.clj [repaired] [SECONDS]
(ns telemetry
  (:require [service] [wire])
  (:import (com.google.protobuf DescriptorProtos$DescriptorProto DescriptorProtos$FieldDescriptorProto
                                DescriptorProtos$FieldDescriptorProto$Label DescriptorProtos$FieldDescriptorProto$Type
                                DescriptorProtos$FileDescriptorProto)))

(defn- field [number name]
  (-> (DescriptorProtos$FieldDescriptorProto/newBuilder)
      (.setName name)
      (.setNumber number)
      (.setLabel DescriptorProtos$FieldDescriptorProto$Label/LABEL_OPTIONAL)
      (.setType DescriptorProtos$FieldDescriptorProto$Type/TYPE_UINT64)
      (.build)))

(def schema
  (let [message (-> (DescriptorProtos$DescriptorProto/newBuilder) (.setName "Reading"))]
    (doseq [number (range 1 13)] (.addField message (field number (str "channel_" number))))
    (-> (DescriptorProtos$FileDescriptorProto/newBuilder)
        (.setName "reading.proto")
        (.setPackage "sensors")
        (.addMessageType (.build message))
        (.build)
        (.toByteArray))))

(def repaired? (boolean (some #{"repaired"} *command-line-args*)))

(defn answer [number]
  ;; Field 1, a varint.
  (let [message (byte-array [8 (mod number 128)])
        reading (wire/decode (wire/codec schema repaired?) message)]
    (str (:channel_1 reading))))

(service/serve answer)
