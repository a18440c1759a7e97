# An image with the command `seqnets`, for the CPU; --build-arg EXTRAS=viz,cuda makes one for NVIDIA GPUs.
#
#   docker build -t seqnets .
#   docker build -t seqnets:cuda --build-arg EXTRAS=viz,cuda .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" seqnets train corpus.txt
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" seqnets:cuda train corpus.txt
FROM python:3.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY seqnets ./seqnets
ARG EXTRAS=viz
RUN python -m venv /opt/seqnets \
    && /opt/seqnets/bin/pip install --no-cache-dir ".[${EXTRAS}]"

FROM python:3.13-slim-bookworm
# g++ compiles the kernels for the processor of the machine that runs the image, once
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 seqnets \
    && install --directory --owner=seqnets --mode=777 /work /cache
COPY --from=build /opt/seqnets /opt/seqnets
# CUDA comes with JAX's wheels; the two variables ask NVIDIA's runtime for the driver
ENV PATH=/opt/seqnets/bin:$PATH \
    SEQNETS_CACHE=/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER seqnets
WORKDIR /work
ENTRYPOINT ["seqnets"]
CMD ["--help"]
