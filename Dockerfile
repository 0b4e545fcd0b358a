# The image printer-bridge:latest, made by `make container`: nothing but the static program, for a Linux box or a NAS.
# The context is a directory with that program, so nothing is compiled or fetched here.
FROM scratch

COPY octobridge /usr/local/bin/octobridge
COPY --chown=1000:1000 data /data

ENV BIND=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data
EXPOSE 8000
VOLUME /data
USER 1000:1000

ENTRYPOINT ["/usr/local/bin/octobridge"]
CMD ["run"]
