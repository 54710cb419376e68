# What node:24-bookworm-slim is, built where no registry answers (script/base-images). Only the local base knows the
# machine's certificate authorities; our own Dockerfiles are the same on either base.
ARG BASE
FROM ${BASE}
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY node-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
COPY ca-certificates.crt /tmp/ca-certificates.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && if [ -s /tmp/ca-certificates.crt ]; then cat /tmp/ca-certificates.crt > /etc/ssl/certs/ca-certificates.crt; fi \
    && rm /tmp/ca-certificates.crt
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
