# The image printer-bridge:latest: the static program and nothing else, for a Linux box or a NAS. docs/container.md tells
# how to run it. `make container` puts together what is copied here; nothing is compiled or fetched.
FROM scratch

COPY .cache/container/root/ /
COPY --chown=1000:1000 .cache/container/state/ /

# What differs from the program's own defaults, which hold for all other settings. An empty variable counts as unset.
# /dev/shm can be written in every container, also in a read-only one and by every user.
ENV BIND=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data \
    OCTOBRIDGE_RUN_DIR=/dev/shm/octobridge
EXPOSE 8000
VOLUME /data
USER 1000:1000

ENTRYPOINT ["/usr/local/bin/octobridge"]
CMD ["run"]
HEALTHCHECK --interval=1m --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/octobridge", "status"]

ARG VERSION
LABEL org.opencontainers.image.title="Printer Realtime Bridge" \
      org.opencontainers.image.description="Tells a Telegram chat how a 3D printer's jobs go; REST API for its status and picture" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.vendor="The Octobridge developers" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
