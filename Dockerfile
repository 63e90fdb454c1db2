# syntax=docker/dockerfile:1
#
#   docker build -t doppel .
#   docker run --network host -v doppel-models:/var/lib/doppel/models doppel
#
# Media needs many UDP ports, so `--network host` is the simple way; then it listens on loopback, as it does without
# Docker. To serve others, mount a key and pass flags:
#
#   docker run --network host -v doppel-models:/var/lib/doppel/models -v ./key:/run/doppel-key:ro \
#     doppel --host 0.0.0.0 --access-key-file /run/doppel-key --ice-address 192.0.2.7
#
# TORCH_INDEX is PyTorch's index of CPU builds, as its "get started" page names it. Without it pip takes what its own
# index has for this platform, on x86_64 the CUDA build, which works on a CPU too and is several GB larger.

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
RUN /opt/doppel/bin/pip install -c constraints.txt . \
 && /opt/doppel/bin/pip uninstall -y pip

FROM python:${PYTHON_VERSION}-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/doppel --create-home doppel \
 && install -d -o doppel -g doppel /var/lib/doppel/models
COPY --from=build /opt/doppel /opt/doppel
ENV PATH=/opt/doppel/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DOPPEL_MODELS_DIR=/var/lib/doppel/models \
    DOPPEL_LOG_FORMAT=json
USER doppel
WORKDIR /var/lib/doppel
VOLUME /var/lib/doppel/models
EXPOSE 8080/tcp 1935/tcp
# The first start fetches the models.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('DOPPEL_PORT', '8080')}/readyz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["doppel", "serve"]
