#!/bin/sh
# The topics of strimzi.yaml by Kafka's own tool:
#   BOOTSTRAP=kafka:9092 REPLICAS=1 MIN_INSYNC=1 sh deploy/topics/create.sh
# KAFKA_TOPICS names the tool, and may add words: KAFKA_TOPICS="kafka-topics.sh --command-config client.properties".
set -eu
create() {
    topic=$1
    shift
    ${KAFKA_TOPICS:-kafka-topics.sh} --bootstrap-server "${BOOTSTRAP:?host:port of a broker}" --create --if-not-exists \
        --topic "$topic" --partitions "${PARTITIONS:-12}" --replication-factor "${REPLICAS:-3}" \
        --config min.insync.replicas="${MIN_INSYNC:-2}" "$@"
}
create reviews --config max.message.bytes=1048588
create reviews.sentiment --config max.message.bytes=1056780 --config cleanup.policy=delete \
    --config message.timestamp.type=CreateTime
create reviews.dlq --config max.message.bytes=1056780 --config cleanup.policy=delete \
    --config message.timestamp.type=CreateTime --config retention.ms=2592000000
