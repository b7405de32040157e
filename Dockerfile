# One image with cairnd and cairn. docker-compose.yml makes a cluster of three of it.
#
#   docker build -t cairn:local .                                 everything from source (2 cores: about 20 minutes)
#   docker build -t cairn:local --build-arg BINARIES=prebuilt .   build/release/bin of this tree, built on Debian 12
#
# The base is Debian 12; its apt sources are used as they are. `BASE` names another image, in another registry perhaps.
# Both builds fetch packages: with --network host where containers have no way out.
ARG BASE=debian:bookworm-slim
ARG BINARIES=from-source

FROM ${BASE} AS from-source
WORKDIR /src
# Packages and CAF first: they change with these files alone.
COPY scripts/setup scripts/
COPY scripts/lib scripts/lib
RUN scripts/setup
COPY . .
RUN scripts/build release cairnd cairn \
  && install -D -s -t /out build/release/bin/cairnd build/release/bin/cairn

FROM ${BASE} AS prebuilt
COPY build/release/bin/cairnd build/release/bin/cairn /out/

FROM ${BINARIES} AS binaries

FROM ${BASE}
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    libboost-json1.81.0 libedit2 libfmt9 libprometheus-cpp-core1.0 libprotobuf32 libsimdjson14 libspdlog1.10 libssl3 \
    libtomlplusplus3 libxxhash0 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --no-create-home --home-dir /var/lib/cairn --shell /usr/sbin/nologin cairn \
  && install -d -o cairn -g cairn -m 750 /var/lib/cairn
COPY --from=binaries /out/ /usr/local/bin/
# Fails here, not at the first start, when a library is missing.
RUN cairnd --version && cairn --help >/dev/null
USER cairn
# A read-only root needs nothing but this.
VOLUME /var/lib/cairn
WORKDIR /var/lib/cairn
ENV CAIRN_DATA_DIR=/var/lib/cairn CAIRN_HTTP=0.0.0.0:8080 CAIRN_GRPC=0.0.0.0:9080 CAIRN_PEER=0.0.0.0:7080
EXPOSE 8080 9080 7080
HEALTHCHECK --interval=2s --timeout=3s --start-period=30s --retries=5 \
  CMD ["cairn", "--quiet", "--timeout", "2", "ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["cairnd"]
