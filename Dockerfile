# The operator as an image: its program, the libraries that it is linked with, and nothing else; no
# shell, no packages. README.md ("On your own cluster") says how to build it.

# The stage must be called `build`: dev/image.sh puts a folder in its place.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src

# The dependencies in a layer of their own: it is compiled anew only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches/store tests/rights && echo 'fn main() {}' | tee src/main.rs tests/rights/main.rs > benches/store/main.rs && touch src/lib.rs \
    && cargo build --release --locked \
    && cargo clean --release --locked --package keyreeve

COPY src src
RUN cargo build --release --locked

COPY dev/lib.sh dev/rootfs.sh dev/
RUN dev/rootfs.sh target/release/keyreeve /rootfs

FROM scratch
LABEL org.opencontainers.image.title="keyreeve" \
      org.opencontainers.image.description="A Kubernetes operator that manages identity tenants as custom resources" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
# By number: Kubernetes can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/bin/keyreeve"]
CMD ["run"]
