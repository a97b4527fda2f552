# The worker, with neither PyTorch nor a compiler. Build from the root of the project:
#   docker build -f docker/worker.Dockerfile --target cpu -t review-sentiment-worker:cpu .
#   docker build -f docker/worker.Dockerfile --target gpu -t review-sentiment-worker:gpu .
# What is installed is pinned by hash. Pin the base for a release: --build-arg BASE=debian:bookworm-slim@sha256:…
# With what traces need: --build-arg TRACING=-tracing
# A package registry of yours: --secret id=pip,src=pip.conf
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*

FROM python AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /tools && python3 -m venv --without-pip /opt/venv
COPY contract /app/contract
COPY worker /app/worker
# Readable by any user, whatever the checkout's umask was; compiled here, since nobody can write there later.
RUN chmod -R u=rwX,go=rX /app && python3 -m compileall -q --invalidation-mode unchecked-hash /app
COPY docker/install.sh /install.sh

FROM build AS build-cpu
ARG TRACING=
COPY requirements/worker-cpu${TRACING}.txt /requirements.txt
RUN --mount=type=secret,id=pip,target=/etc/pip.conf sh /install.sh

FROM build AS build-gpu
ARG TRACING=
COPY requirements/worker-gpu${TRACING}.txt /requirements.txt
RUN --mount=type=secret,id=pip,target=/etc/pip.conf sh /install.sh

FROM python AS worker
ARG BASE VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="review-sentiment worker" \
      org.opencontainers.image.description="Reads review events from Kafka and publishes them with their sentiment" \
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
    WORKER_BUNDLE=/bundle
WORKDIR /app
# Any other user will do: nothing is written, and no home is needed.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
# For Docker alone; Kubernetes has probes of its own. Asks on loopback: not for a WORKER_HTTP_HOST of another address.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"WORKER_HTTP_PORT\") or 8080}/livez', timeout=4)"]
# PID 1 ignores a signal that it has no handler for. `env` has the kernel keep those that come before Python runs; it is
# replaced by the worker, which is PID 1 and takes them as soon as it listens.
ENTRYPOINT ["env", "--block-signal=INT,TERM", "python", "-m", "worker"]
CMD ["run"]

FROM worker AS gpu
# The NVIDIA container runtime mounts the driver; CUDA and cuDNN are among the packages.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility WORKER_DEVICE=cuda
COPY --from=build-gpu /opt/venv /opt/venv
COPY --from=build-gpu /app /app

# Last, so that it is what is built where no target is named.
FROM worker AS cpu
ENV WORKER_DEVICE=cpu
COPY --from=build-cpu /opt/venv /opt/venv
COPY --from=build-cpu /app /app
