# The image of sunmi-trade: the server and what it needs to run, on an otherwise empty root file
# system, as a user without rights. See docs/deployment.md.
#
#     docker build -t sunmi-trade .

FROM rust:1.95-slim-trixie AS build

# Makes the list of crates part of the program, for scanners of images.
RUN cargo install --locked --version 0.7.7 cargo-auditable

WORKDIR /src
COPY . .
# No path of this stage gets into the program.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/src=/sunmi-trade --remap-path-prefix=/usr/local/cargo=/cargo"
RUN cargo auditable build --release --locked --bin sunmi-trade

# The root file system: the program, the C library that it is linked to, the authorities of TLS,
# and who its user is. A ledger in an SQLite file belongs on a volume at /var/lib/sunmi-trade; no
# VOLUME says so, because a nameless volume would be lost with its container, and in silence.
RUN set -eu; root=/rootfs; program=target/release/sunmi-trade; \
    install -D -m 755 "$program" "$root/usr/local/bin/sunmi-trade"; \
    ldd "$program" | grep -o '/[^ ]*' | while read -r library; do \
      install -D -m 755 "$library" "$root$library"; \
    done; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"; \
    echo 'sunmi-trade:x:65532:65532::/nonexistent:/sbin/nologin' > "$root/etc/passwd"; \
    echo 'sunmi-trade:x:65532:' > "$root/etc/group"; \
    echo 'hosts: files dns' > "$root/etc/nsswitch.conf"; \
    install -d -m 1777 "$root/tmp"; \
    install -d -m 700 -o 65532 -g 65532 "$root/var/lib/sunmi-trade"

FROM scratch

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sunmi-trade" \
      org.opencontainers.image.description="A gRPC server in front of the Sunmi trade API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

COPY --from=build /rootfs /

USER 65532:65532
EXPOSE 50051 9090
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s \
  CMD ["/usr/local/bin/sunmi-trade", "health"]
ENTRYPOINT ["/usr/local/bin/sunmi-trade"]
# On every address of the container: the defaults would be seen by nobody outside of it. No ENV says
# so, because that would go before a configuration file.
CMD ["serve", "--listen", "0.0.0.0:50051", "--admin-listen", "0.0.0.0:9090"]
