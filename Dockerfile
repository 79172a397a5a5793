FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package packhouse

FROM debian:bookworm-slim
# For TLS towards a database or an upstream.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/packhouse /usr/local/bin/packhouse
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin packhouse \
    && install -d -m 0700 -o packhouse -g packhouse /data
USER packhouse
WORKDIR /data
VOLUME /data
ENV PACKHOUSE_LISTEN=0.0.0.0:8080 \
    PACKHOUSE_DATA_DIR=/data
EXPOSE 8080
# No HEALTHCHECK: the image has no HTTP client. Ask /healthz and /readyz from outside.
ENTRYPOINT ["packhouse"]
CMD ["serve"]
