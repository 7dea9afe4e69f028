# The programs in images of their own: docker-compose.yml puts them together.
#
#   docker build --target collector .    also: agent, world
#
# Base images are arguments, so that a province can take them from its own registry.
ARG NODE_IMAGE=node:20-bookworm-slim
ARG RUST_IMAGE=rust:1.95-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS console
WORKDIR /src
COPY dashboards/web/package.json dashboards/web/package-lock.json ./
RUN npm ci
COPY dashboards/web ./
RUN npm run build

FROM ${RUST_IMAGE} AS build
# Profiles of Cargo.toml; `dev` builds fast and runs slowly.
ARG PROFILE=release
ARG AGENT_PROFILE=small
WORKDIR /src
COPY . .
COPY --from=console /src/dist dashboards/web/dist
ENV CARGO_TARGET_DIR=/target
RUN cargo build --locked --profile "${PROFILE}" -p haidang-collector -p haidang-world \
  && cargo build --locked --profile "${AGENT_PROFILE}" -p haidang-agent \
  && mkdir /programs \
  && folder() { if [ "$1" = dev ]; then echo debug; else echo "$1"; fi; } \
  && cp "/target/$(folder "${PROFILE}")/haidang-collector" "/target/$(folder "${PROFILE}")/haidang-world" \
    "/target/$(folder "${AGENT_PROFILE}")/haidang-agent" /programs/

FROM ${BASE_IMAGE} AS base
# One user for all, so that volumes can be shared; nothing runs as root.
RUN groupadd --system --gid 10001 haidang \
  && useradd --system --uid 10001 --gid haidang --home-dir /var/lib/haidang --create-home haidang \
  && install -d -o haidang -g haidang -m 0700 /var/lib/haidang/data /var/lib/haidang/collector \
    /var/lib/haidang/agents /etc/haidang
COPY packaging/docker/healthy /usr/local/bin/healthy
USER haidang
WORKDIR /var/lib/haidang

FROM base AS collector
COPY --from=build /programs/haidang-collector /usr/local/bin/
VOLUME ["/etc/haidang", "/var/lib/haidang/data"]
EXPOSE 8080/tcp 8443/tcp 8862/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["healthy", "8080"]
ENTRYPOINT ["haidang-collector"]
CMD ["serve", "--config", "/etc/haidang", "--data", "/var/lib/haidang/data", "--first-sign-in", "/var/lib/haidang/data/console.json"]

FROM base AS agent
COPY --from=build /programs/haidang-agent /usr/local/bin/
VOLUME ["/var/lib/haidang/data"]
# The file says `listen: "127.0.0.1:9100"` for this.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["healthy", "9100"]
ENV MALLOC_ARENA_MAX=1
ENTRYPOINT ["haidang-agent"]
CMD ["run", "--config", "/var/lib/haidang/agents/agent.yml", "--data", "/var/lib/haidang/data"]

# The rehearsal province, and what prepares it.
FROM base AS world
COPY --from=build /programs/haidang-world /programs/haidang-collector /usr/local/bin/
COPY packaging/docker/prepare /usr/local/bin/prepare
VOLUME ["/var/lib/haidang/data"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["haidang-world", "list", "--run", "/var/lib/haidang/data"]
ENTRYPOINT ["haidang-world"]
CMD ["serve", "--config", "/etc/haidang", "--agents", "/var/lib/haidang/agents", "--run", "/var/lib/haidang/data"]
