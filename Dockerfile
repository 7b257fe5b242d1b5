# SPDX-License-Identifier: Apache-2.0
# The server alone, on Debian 13. `docker build -t octet-server .`
#
#   docker run -p 8001:8001 -p 8000:8000 -v /my/models:/models:ro octet-server
#
# Without a volume on /models it serves the bundled digits models. Arguments are the server's flags,
# docs/configuration.md, in place of those of CMD below. It writes nothing: --read-only works.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
WORKDIR /src
# The packages first: they change more rarely than the source.
COPY cmake/setup cmake/setup
RUN apt-get update -q && apt-get install -y -q --no-install-recommends make \
    && cmake/setup/setup.sh build
COPY . .
RUN cmake/setup/configure.sh release \
    && cmake --build build/release --target octet-server \
    && strip build/release/bin/octet-server
# The packages that hold the libraries the server loads, by name, and no others.
RUN ldd build/release/bin/octet-server | sed -n 's|.*=> \(/[^ ]*\).*|\1|p' | xargs -n1 realpath \
    | sort -u | xargs -n1 dpkg -S | sed 's/:.*//' | sort -u >/runtime-packages

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="octet-server" \
      org.opencontainers.image.description="Quantized neural networks on CPUs, in the Open Inference Protocol" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN --mount=type=bind,from=build,source=/runtime-packages,target=/runtime-packages \
    apt-get update -q \
    && xargs apt-get install -y -q --no-install-recommends </runtime-packages \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt
COPY --from=build /src/build/release/bin/octet-server /usr/local/bin/octet-server
COPY --from=build /src/models/zoo/repository /models
USER 10001:10001
EXPOSE 8001 8000 8002
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/bin/bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8000; printf 'GET /v2/health/ready HTTP/1.0\\r\\n\\r\\n' >&3; grep -q ' 200 ' <&3"]
ENTRYPOINT ["octet-server"]
CMD ["--model-repository", "/models", "--drain-delay", "5s"]
