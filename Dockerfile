# wvgate in a small image: docker build -t wvgate:0.1.0 .
# Without an engine, and of the package for Debian: make image.
# The stage "prosody" is the XMPP server of docker-compose.yml.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim AS prosody
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prosody \
    && rm -rf /var/lib/apt/lists/*
COPY config/docker/prosody.cfg.lua /etc/prosody/prosody.cfg.lua
COPY config/docker/prosody-entry.sh /usr/local/bin/prosody-entry
USER prosody
EXPOSE 5222
ENTRYPOINT ["/usr/local/bin/prosody-entry"]

FROM debian:bookworm-slim AS wvgate
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 wvgate \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/wvgate --no-create-home wvgate \
    && install -d -o wvgate -g wvgate -m 750 /var/lib/wvgate /etc/wvgate /etc/wvgate/certs
COPY --from=build /src/target/release/wvgate /usr/bin/wvgate
USER 10001:10001
WORKDIR /var/lib/wvgate
VOLUME /var/lib/wvgate
# SSP, and /live, /ready and /metrics where [admin] says so.
EXPOSE 5280 9280
STOPSIGNAL SIGTERM
# As /ready.
HEALTHCHECK --interval=10s --timeout=5s --retries=3 \
    CMD ["/usr/bin/wvgate", "status", "--ready", "--config", "/etc/wvgate/wvgate.toml"]
ENTRYPOINT ["/usr/bin/wvgate"]
CMD ["run", "--config", "/etc/wvgate/wvgate.toml"]
