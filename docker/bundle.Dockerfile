# A bundle as an image: the init container of deploy/ that hands it to the worker. Build from the folder that holds it:
#   docker build -f docker/bundle.Dockerfile -t review-sentiment-bundle:1 runs/bundle
ARG BASE=debian:bookworm-slim
FROM ${BASE}
COPY --chmod=0555 . /bundle
USER 65532:65532
# Made without links: of a folder of the Hugging Face cache, build from a copy made by `cp -RL`.
ENTRYPOINT ["cp", "-R", "--no-preserve=mode", "/bundle/.", "/target/"]
