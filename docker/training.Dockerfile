# Training and export, with PyTorch for CUDA. Build from the root of the project:
#   docker build -f docker/training.Dockerfile -t review-sentiment-training .
#   docker run --rm --gpus all --user "$(id -u)" -v "$PWD/data:/data" -v "$PWD/runs:/runs" review-sentiment-training \
#       training fit --data /data/reviews.jsonl.gz --base-model /data/bert-base-uncased --output /runs/checkpoint
# Not slim: PyTorch brings CUDA along; 6.7 GB unpacked. A read-only root takes `--tmpfs /tmp`.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*

FROM python AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /tools && python3 -m venv --without-pip /opt/venv
COPY requirements/training.txt requirements/worker-cpu.txt /requirements/
# Export checks its graphs with the worker's runtime.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /tools/bin/pip --python /opt/venv/bin/python install --quiet --no-cache-dir --require-hashes --only-binary :all: \
    -r /requirements/training.txt -r /requirements/worker-cpu.txt
COPY contract /app/contract
COPY evaluation /app/evaluation
COPY export /app/export
COPY reviews /app/reviews
COPY training /app/training
COPY worker /app/worker
RUN chmod -R u=rwX,go=rX /app /opt/venv && python3 -m compileall -q --invalidation-mode unchecked-hash /app

FROM python
ARG BASE VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="review-sentiment training" \
      org.opencontainers.image.description="Fine-tunes BERT on product reviews and exports it as a bundle" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /runs
# Any other user will do; what is mounted for the output has to be theirs.
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m"]
CMD ["training", "--help"]
