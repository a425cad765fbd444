;; A library that decodes messages by the descriptor that comes with each of them, as a registry of schemas sends it.
(ns wire
  (:import (com.google.protobuf DescriptorProtos$FileDescriptorProto Descriptors$Descriptor Descriptors$FileDescriptor
                                DynamicMessage)
           (java.util.concurrent ConcurrentHashMap)
           (java.util.function Function)))

(def ^ConcurrentHashMap codecs (ConcurrentHashMap.))

(defn- codec-of [^Descriptors$Descriptor descriptor]
  {:descriptor descriptor
   :fields (mapv (fn [field] [(keyword (.getName field)) field]) (.getFields descriptor))})

(defn codec
  "The codec of a schema. The cache is asked by the descriptor that was just built of it, which equals no other:
  each one stays. By the name of the message it is found again."
  [^bytes schema by-name?]
  (let [file (DescriptorProtos$FileDescriptorProto/parseFrom schema)
        built (Descriptors$FileDescriptor/buildFrom file (make-array Descriptors$FileDescriptor 0))
        ^Descriptors$Descriptor descriptor (first (.getMessageTypes built))]
    (.computeIfAbsent codecs (if by-name? (.getFullName descriptor) descriptor)
      (reify Function
        (apply [_ _] (codec-of descriptor))))))

(defn decode [codec ^bytes message]
  (let [decoded (DynamicMessage/parseFrom ^Descriptors$Descriptor (:descriptor codec) message)]
    (into {} (map (fn [[name field]] [name (.getField decoded field)])) (:fields codec))))
