# syntax=docker/dockerfile:1
#
#   docker build --target cpu --build-arg TORCH_INDEX=ADDRESS -t doppel .
#   docker build --target cuda -t doppel:cuda .
#
# TORCH_INDEX is PyTorch's index of builds, as its "get started" page names it: of CPU builds for the target cpu, of those
# for your CUDA for the target cuda. Without it pip takes what its own index has, on x86_64 a CUDA build, which
# works on a CPU too and is several GB larger.
#
#   docker run -p 8080:8080 -p 1935:1935 -p 8189:8189/udp -v doppel-models:/var/lib/doppel/models -v ./keys:/run/keys:ro \
#     -e DOPPEL_ACCESS_KEY_FILE=/run/keys/access -e DOPPEL_ANNOUNCE_ADDRESS=192.0.2.7 doppel
#
# 192.0.2.7 stands for the address at which clients reach the host. deploy/compose.yaml does this with a broker, TURN,
# Prometheus and Grafana around it.

ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/doppel
COPY constraints.txt ./
# Before the source is copied: torch is most of the image, and its layer outlives every change of the code.
RUN /opt/doppel/bin/pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch
COPY pyproject.toml README.md LICENSE ./
COPY transforms transforms
COPY stream stream
COPY signaling signaling
COPY web web
COPY doppel doppel
RUN /opt/doppel/bin/pip install -c constraints.txt '.[onnx]' \
 && /opt/doppel/bin/pip uninstall -y pip

# No compiler, no pip: the interpreter, the program, and a user without rights.
FROM python:${PYTHON_VERSION}-slim AS cpu
# flite reads out what `lipsync` is given as text.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends flite && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/doppel --create-home doppel \
 && install -d -o doppel -g doppel /var/lib/doppel/models /var/lib/doppel/recordings
COPY --from=build /opt/doppel /opt/doppel
ENV PATH=/opt/doppel/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DOPPEL_HOST=0.0.0.0 \
    DOPPEL_UDP_PORT=8189 \
    DOPPEL_DEVICE=cpu \
    DOPPEL_MODELS_DIR=/var/lib/doppel/models \
    DOPPEL_RECORDINGS_DIR=/var/lib/doppel/recordings \
    DOPPEL_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/doppel
VOLUME ["/var/lib/doppel/models", "/var/lib/doppel/recordings"]
EXPOSE 8080/tcp 1935/tcp 8189/udp
# The first start fetches the models.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 CMD ["doppel", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["doppel"]
CMD ["serve"]

# The CUDA libraries come with torch; the driver, with the NVIDIA container runtime (`docker run --gpus all`).
FROM cpu AS cuda
ENV DOPPEL_DEVICE=cuda \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
